//! `cast`: converts fields to another type without losing a digit.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{
    Cause, Explanation, Fields, Finding, Found, Kind, Record, Step, Transform, TransformPlugin,
    Value, ValueRef,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// The plugin `cast`.
pub struct Cast;

/// Converts fields to another type. A value that does not fit exactly is the record's fault, never rounded or
/// truncated. `null` stays `null`, and a missing field stays missing. Bytes become a Base64 string. A record with
/// another type on the way of a path is rejected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Types (`string`, `int`, `float`, `bool`) by field: `{ price = "float", "$.store.id" = "string" }`. A path with
    /// `[*]` applies to every element of an array: `"$.lines[*].price"`. `$` is the whole value or key.
    #[schemars(extend("minProperties" = 1))]
    fields: BTreeMap<String, Type>,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A type to cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Type {
    String,
    Int,
    Float,
    Bool,
}

/// A built `cast`.
pub struct CastFields {
    fields: Vec<(Fields, Type)>,
    on: Part,
}

impl TransformPlugin for Cast {
    const NAME: &'static str = "cast";
    const ABOUT: &'static str = "converts fields to another type";
    const EXAMPLE: &'static str = r#"[[transforms]]
type   = "cast"
fields = { price = "float", store_id = "string" }
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD];
    type Config = Config;
    type Transform = CastFields;

    fn build(config: &Config) -> Result<CastFields, Finding> {
        let mut fields = Vec::new();
        for (field, to) in &config.fields {
            fields.push((part::parse_fields_key("/fields", field)?, *to));
        }
        Ok(CastFields {
            fields,
            on: config.on,
        })
    }
}

impl Transform for CastFields {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            for (field, to) in &self.fields {
                part.replace_each(field, |path, found| {
                    to.cast(found)
                        .map_err(|reason| cannot(&path(), *to, reason).about(Found::from(found)))
                })?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

fn cannot(path: &str, to: Type, reason: &str) -> Cause {
    let to = match to {
        Type::String => "string",
        Type::Int => "int",
        Type::Float => "float",
        Type::Bool => "bool",
    };
    Cause::new(format!("cannot cast {path} to {to}: {reason}"))
}

impl Type {
    /// `None` if nothing changes.
    fn cast(self, found: ValueRef<'_>) -> Result<Option<Value>, &'static str> {
        match (self, found.kind()) {
            (_, Kind::Null)
            | (Type::String, Kind::String(_))
            | (Type::Float, Kind::Number(_))
            | (Type::Bool, Kind::Bool(_)) => Ok(None),
            (_, Kind::Array(_)) => Err("it is an array"),
            (_, Kind::Object(_)) => Err("it is an object"),
            // The JSON form of bytes; a text column accepts it only after this explicit step.
            (Type::String, Kind::Bytes(content)) => {
                Ok(Some(Value::string(&STANDARD.encode(content))))
            }
            (_, Kind::Bytes(_)) => Err("it is bytes"),

            (Type::String, Kind::Number(number)) => Ok(Some(Value::string(number.as_str()))),
            (Type::String, Kind::Bool(true)) => Ok(Some(Value::string("true"))),
            (Type::String, Kind::Bool(false)) => Ok(Some(Value::string("false"))),

            (Type::Int, Kind::Number(number)) => whole(number.as_str())
                .map(Some)
                .ok_or("it is a number with a fraction, or with an exponent beyond 1000"),
            (Type::Int, Kind::String(text)) => number(text)
                .and_then(|digits| whole(&digits))
                .map(Some)
                .ok_or("it is text that is not a whole number"),
            (Type::Int, Kind::Bool(boolean)) => Ok(Some(Value::integer(boolean.into()))),

            (Type::Float, Kind::String(text)) => number(text)
                .and_then(|digits| Value::number(&digits))
                .map(Some)
                .ok_or("it is text that is not a number"),
            (Type::Float, Kind::Bool(boolean)) => Ok(Some(Value::integer(boolean.into()))),

            (Type::Bool, Kind::Number(number)) => match number.as_f64() {
                1.0 => Ok(Some(Value::boolean(true))),
                0.0 => Ok(Some(Value::boolean(false))),
                _ => Err("it is a number other than 0 and 1"),
            },
            (Type::Bool, Kind::String(text)) => match text.trim() {
                text if text.eq_ignore_ascii_case("true") || text == "1" => {
                    Ok(Some(Value::boolean(true)))
                }
                text if text.eq_ignore_ascii_case("false") || text == "0" => {
                    Ok(Some(Value::boolean(false)))
                }
                _ => Err("it is text other than true, false, 1 and 0"),
            },
        }
    }
}

/// The digits of a JSON number in text, without surrounding blanks, a plus sign and leading zeros.
fn number(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    let rest = digits.get(zeros..).unwrap_or_default();
    // One zero stays if no other digit precedes the point.
    let zero = if !rest.starts_with(|next: char| next.is_ascii_digit()) && zeros > 0 {
        "0"
    } else {
        ""
    };
    let digits = format!("{sign}{zero}{rest}");
    Value::number(&digits).map(|_| digits)
}

/// The digits of a whole JSON number as an integer: `1e3` is `1000`, `2.50` is none.
fn whole(digits: &str) -> Option<Value> {
    const LARGEST_EXPONENT: i64 = 1_000;
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (digits, 0),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if exponent.abs() > LARGEST_EXPONENT {
        return None;
    }
    let (sign, integer) = match integer.strip_prefix('-') {
        Some(integer) => ("-", integer),
        None => ("", integer),
    };
    let significant = format!("{integer}{fraction}");
    // The index of the point in `significant`, and the digits after it.
    let point = integer.len() as i64 + exponent;
    let kept = usize::try_from(point).unwrap_or(0).min(significant.len());
    let (kept, dropped) = significant.split_at_checked(kept)?;
    if dropped.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let missing = usize::try_from(point - significant.len() as i64).unwrap_or(0);
    let all = format!("{kept}{}", "0".repeat(missing));
    match all.trim_start_matches('0') {
        "" => Some(Value::integer(0)),
        all => Value::number(&format!("{sign}{all}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[track_caller]
    fn check_cast(to: &str, start: &str, expected: &str) {
        let expected = if expected.starts_with('!') {
            expected.to_owned()
        } else {
            format!(r#"{{"a":{expected}}}"#)
        };
        let config = format!("fields = {{ a = '{to}' }}");
        check::<Cast>(&config, &format!(r#"{{"a":{start}}}"#), &expected);
    }

    #[test]
    fn string() {
        for (start, expected) in [
            ("1.50", r#""1.50""#),
            ("12345678901234567890.10", r#""12345678901234567890.10""#),
            ("1e3", r#""1e3""#),
            ("true", r#""true""#),
            ("false", r#""false""#),
            (r#""x""#, r#""x""#),
            ("null", "null"),
            ("[1]", "!cannot cast $.a to string: it is an array"),
            ("{}", "!it is an object"),
        ] {
            check_cast("string", start, expected);
        }
    }

    #[test]
    fn int() {
        for (start, expected) in [
            ("7", "7"),
            ("-7", "-7"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("7.0", "7"),
            ("-7.000", "-7"),
            ("1e3", "1000"),
            ("1.25e2", "125"),
            ("1.250e1", "!a number with a fraction"),
            ("1200e-2", "12"),
            ("1200e-3", "!a number with a fraction"),
            ("0.0", "0"),
            ("-0", "0"),
            ("0e5", "0"),
            ("0.001e3", "1"),
            (
                "7.5",
                "!cannot cast $.a to int: it is a number with a fraction",
            ),
            ("1e-400", "!a number with a fraction"),
            ("1e999999999", "!an exponent beyond 1000"),
            ("1e99999999999999999999", "!an exponent beyond 1000"),
            (r#""42""#, "42"),
            (r#"" +0042 ""#, "42"),
            (r#""-0""#, "0"),
            (r#""00""#, "0"),
            (r#""1e2""#, "100"),
            (r#""42.5""#, "!text that is not a whole number"),
            (r#""""#, "!text that is not a whole number"),
            (r#""-""#, "!text that is not a whole number"),
            (r#""+-1""#, "!text that is not a whole number"),
            (r#""forty""#, "!text that is not a whole number"),
            (r#""1_000""#, "!text that is not a whole number"),
            ("true", "1"),
            ("false", "0"),
            ("null", "null"),
            ("[]", "!it is an array"),
        ] {
            check_cast("int", start, expected);
        }
    }

    #[test]
    fn float() {
        for (start, expected) in [
            ("7", "7"),
            ("12345678901234567.89", "12345678901234567.89"),
            (r#""12345678901234567.89""#, "12345678901234567.89"),
            (r#"" -00.50 ""#, "-0.50"),
            (r#""+1E5""#, "1E5"),
            (r#""NaN""#, "!text that is not a number"),
            (r#""1,5""#, "!text that is not a number"),
            (r#"".5""#, "!text that is not a number"),
            (r#""0x10""#, "!text that is not a number"),
            ("true", "1"),
            ("null", "null"),
        ] {
            check_cast("float", start, expected);
        }
    }

    #[test]
    fn bool() {
        for (start, expected) in [
            ("true", "true"),
            ("1", "true"),
            ("0", "false"),
            ("0.0", "false"),
            ("2", "!a number other than 0 and 1"),
            (r#""TRUE""#, "true"),
            (r#"" false ""#, "false"),
            (r#""1""#, "true"),
            (r#""0""#, "false"),
            (r#""yes""#, "!text other than true"),
            (r#""""#, "!text other than true"),
            ("null", "null"),
        ] {
            check_cast("bool", start, expected);
        }
    }

    #[test]
    fn fields_lie_anywhere() {
        for (config, start, expected) in [
            (
                "fields = { b = 'string', '$.s.id' = 'int', missing = 'int' }",
                r#"{"a":1,"b":2,"s":{"id":"3","x":[4]},"c":5}"#,
                r#"{"a":1,"b":"2","s":{"id":3,"x":[4]},"c":5}"#,
            ),
            (
                "fields = { '$' = 'int' }\non = 'key'",
                r#""7" => {}"#,
                "7 => {}",
            ),
            ("fields = { a = 'int' }", "-", "-"),
            (
                "fields = { a = 'int' }",
                "[1]",
                "!array found at $ where $.a expects an object",
            ),
            (
                "fields = { '$.lines[*].price' = 'float' }",
                r#"{"lines":[{"price":"1.50"},{},{"price":2}]}"#,
                r#"{"lines":[{"price":1.50},{},{"price":2}]}"#,
            ),
            (
                "fields = { '$.lines[*].price' = 'float' }",
                r#"{"lines":[{"price":"1.50"},{"price":"x"}]}"#,
                "!cannot cast $.lines[1].price to float: it is text",
            ),
        ] {
            check::<Cast>(config, start, expected);
        }
        check_refused::<Cast>(
            "fields = { 'a.b' = 'int' }",
            "/fields/a.b",
            "starts with `$`",
        );
    }
}
