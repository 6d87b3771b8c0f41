//! The keywords of JSON Schema about numbers, exact to every digit.
//!
//! `jsonschema` compares doubles, for which 100.00000000000000001 is 100. Its feature `arbitrary-precision` would change
//! `serde_json` for the whole program, third-party plugins included, so these keywords are ours: bounds, `multipleOf`,
//! `const` and `enum`. `uniqueItems` comes to [`super::equality`] by way of the tape.

use std::cmp::Ordering;
use std::collections::HashSet;

use connect_api::{Kind, Number, Value, ValueLimits, ValueRef};
use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value as Json};

use super::equality::{decimal, equal};
use super::explain::{literal, types_of};
use super::keywords::{Content, content_of};
use super::tape::{Tape, TapeNode};
use crate::decimal::ExactDecimal;

/// The member in which [`schema_json`] keeps exact numbers: the text of a keyword's value, by keyword.
const EXACT: &str = "connect:exact";

type Compiled<'a> = Result<Box<dyn for<'i> Keyword<'i, Tape>>, ValidationError<'a>>;

/// A schema as `jsonschema` takes it. A number with more digits than a double has its exact text in [`EXACT`], next to its
/// keyword.
pub(super) fn schema_json(schema: ValueRef<'_>) -> Json {
    match schema.kind() {
        Kind::Object(members) => {
            let mut exact = Map::new();
            let mut object = Map::new();
            for (name, member) in members {
                // A reserved name.
                if name == EXACT {
                    continue;
                }
                let is_number = matches!(member.kind(), Kind::Number(_));
                if (is_number || matches!(name, "const" | "enum")) && loses_digits(member) {
                    exact.insert(name.to_owned(), member.to_json().into());
                }
                let json = match content_of(name) {
                    Content::Data => data_json(member),
                    Content::NamedSchemas => named_schemas_json(member),
                    Content::Schemas => schema_json(member),
                };
                object.insert(name.to_owned(), json);
            }
            if !exact.is_empty() {
                object.insert(EXACT.to_owned(), exact.into());
            }
            Json::Object(object)
        }
        Kind::Array(elements) => elements.map(schema_json).collect(),
        _ => data_json(schema),
    }
}

fn named_schemas_json(schemas: ValueRef<'_>) -> Json {
    match schemas.kind() {
        Kind::Object(members) => members
            .map(|(name, schema)| (name.to_owned(), schema_json(schema)))
            .collect(),
        _ => schema_json(schemas),
    }
}

fn data_json(value: ValueRef<'_>) -> Json {
    match value.kind() {
        Kind::Number(number) => nearest(number.as_str()).into(),
        Kind::Array(elements) => elements.map(data_json).collect(),
        Kind::Object(members) => members
            .map(|(name, member)| (name.to_owned(), data_json(member)))
            .collect(),
        _ => value.to_serde_json(),
    }
}

/// The nearest number that `serde_json` has, with the sign of the exact one.
fn nearest(digits: &str) -> serde_json::Number {
    let sign = if digits.starts_with('-') { -1.0 } else { 1.0 };
    let finite = |number: f64| {
        serde_json::Number::from_f64(number).expect("the bounds of doubles are finite")
    };
    match serde_json::from_str::<serde_json::Number>(digits) {
        Ok(number) if number.as_f64() == Some(0.0) && !decimal(digits).is_zero() => {
            finite(f64::MIN_POSITIVE * sign)
        }
        Ok(number) => number,
        Err(_) => finite(f64::MAX * sign),
    }
}

fn loses_digits(value: ValueRef<'_>) -> bool {
    match value.kind() {
        Kind::Number(number) => {
            let digits = number.as_str();
            decimal(&nearest(digits).to_string()) != decimal(digits)
        }
        Kind::Array(mut elements) => elements.any(loses_digits),
        Kind::Object(mut members) => members.any(|(_, member)| loses_digits(member)),
        _ => false,
    }
}

/// `options` with our keywords instead of the validator's.
pub(super) fn exact<R>(options: ValidationOptions<'_, R, Tape>) -> ValidationOptions<'_, R, Tape> {
    options
        .with_keyword("minimum", |parent, value, _: Location| {
            bound(parent, "minimum", value)
        })
        .with_keyword("maximum", |parent, value, _: Location| {
            bound(parent, "maximum", value)
        })
        .with_keyword("exclusiveMinimum", |parent, value, _: Location| {
            bound(parent, "exclusiveMinimum", value)
        })
        .with_keyword("exclusiveMaximum", |parent, value, _: Location| {
            bound(parent, "exclusiveMaximum", value)
        })
        .with_keyword("multipleOf", |parent, value, _: Location| {
            multiple_of(parent, value)
        })
        .with_keyword("const", |parent, value, _: Location| {
            let constant = written(parent, "const", value);
            let expected = format!("{} (const)", literal(constant.root()));
            Ok(Box::new(OneOf::new(vec![constant], expected)))
        })
        .with_keyword("enum", |parent, value, _: Location| {
            let options = written(parent, "enum", value);
            let options = options.root().elements();
            let options: Vec<Value> = options
                .into_iter()
                .flatten()
                .map(ValueRef::to_value)
                .collect();
            let expected = format!("{} (enum)", listed(&options));
            Ok(Box::new(OneOf::new(options, expected)))
        })
}

/// A keyword's value with all its digits.
fn written(parent: &Map<String, Json>, keyword: &str, value: &Json) -> Value {
    let exact = parent
        .get(EXACT)
        .and_then(|exact| exact.get(keyword)?.as_str());
    match exact {
        Some(text) => Value::parse_json(text.to_owned().into(), ValueLimits::default())
            .expect("the exact text is JSON that has been parsed before"),
        None => Value::from(value),
    }
}

/// A number of the schema.
#[derive(Clone)]
struct Limit {
    digits: String,
    exact: ExactDecimal,
    nearest: f64,
    integer: Option<i64>,
}

impl Limit {
    /// `None` if it is not a number: `exclusiveMinimum` of draft 4 is a boolean.
    fn of(parent: &Map<String, Json>, keyword: &str, value: &Json) -> Option<Limit> {
        let value = written(parent, keyword, value);
        let digits = value.root().as_number()?.as_str();
        Some(Limit {
            exact: decimal(digits),
            nearest: digits.parse().ok()?,
            integer: digits.parse().ok(),
            digits: digits.to_owned(),
        })
    }

    /// How `number` compares to the limit. Rounding keeps an order or makes numbers equal, so exact arithmetic is needed
    /// only where the doubles are equal.
    fn order_of(&self, number: Number<'_>) -> Ordering {
        let plain = self.integer.zip(PlainNumber::of(number.as_str()));
        if let Some((limit, number)) = plain {
            return number.order_to(limit);
        }
        match number.as_f64().partial_cmp(&self.nearest) {
            Some(Ordering::Less) => Ordering::Less,
            Some(Ordering::Greater) => Ordering::Greater,
            _ => decimal(number.as_str()).cmp(&self.exact),
        }
    }
}

/// A number of plain digits, with a fraction or without: what most bounds are decided by.
pub(super) struct PlainNumber {
    /// Without the fraction: rounded towards zero.
    whole: i64,
    is_negative: bool,
    /// Whether the fraction has digits other than zero.
    is_fractional: bool,
    pub(super) is_written_as_integer: bool,
}

impl PlainNumber {
    /// `None` for an exponent and for very many digits.
    pub(super) fn of(digits: &str) -> Option<PlainNumber> {
        /// So many always fit into 64 bits.
        const MOST_DIGITS: usize = 18;
        let (is_negative, unsigned) = match digits.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            all => (false, all),
        };
        let (mut whole, mut count) = (0_i64, 0);
        for byte in unsigned {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 || count == MOST_DIGITS {
                break;
            }
            whole = whole * 10 + i64::from(digit);
            count += 1;
        }
        let fraction = match unsigned.get(count..)? {
            [] => &[][..],
            [b'.', fraction @ ..] => fraction,
            _ => return None,
        };
        fraction
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| PlainNumber {
                whole: if is_negative { -whole } else { whole },
                is_negative,
                is_fractional: fraction.iter().any(|digit| *digit != b'0'),
                is_written_as_integer: count == unsigned.len(),
            })
    }

    fn order_to(&self, limit: i64) -> Ordering {
        // A fraction is less than the step to the next integer.
        match self.whole.cmp(&limit) {
            Ordering::Equal if self.is_fractional && self.is_negative => Ordering::Less,
            Ordering::Equal if self.is_fractional => Ordering::Greater,
            order => order,
        }
    }
}

/// `minimum`, `maximum`, `exclusiveMinimum` or `exclusiveMaximum`.
#[derive(Clone)]
pub(super) struct NumberBound {
    limit: Limit,
    allowed: fn(Ordering) -> bool,
    expected: String,
}

impl NumberBound {
    /// `None` if it is not a bound.
    pub(super) fn of(
        parent: &Map<String, Json>,
        keyword: &str,
        value: &Json,
    ) -> Option<NumberBound> {
        // Draft 4 has a boolean in addition to the bound.
        let is_exclusive = |beside: &str| parent.get(beside) == Some(&Json::Bool(true));
        let (sign, allowed): (_, fn(Ordering) -> bool) = match keyword {
            "minimum" if !is_exclusive("exclusiveMinimum") => ("≥", Ordering::is_ge),
            "minimum" | "exclusiveMinimum" => (">", Ordering::is_gt),
            "maximum" if !is_exclusive("exclusiveMaximum") => ("≤", Ordering::is_le),
            "maximum" | "exclusiveMaximum" => ("<", Ordering::is_lt),
            _ => return None,
        };
        let limit = Limit::of(parent, keyword, value)?;
        let number = match types_of(parent.get("type")).as_deref() {
            Some("an integer") => "an integer",
            _ => "a number",
        };
        Some(NumberBound {
            expected: format!("{number} {sign} {} ({keyword})", limit.digits),
            limit,
            allowed,
        })
    }

    /// Whether it certainly allows the number; a quick check that may return false for an allowed number.
    pub(super) fn allows_plain(&self, number: &PlainNumber) -> bool {
        let limit = self.limit.integer;
        limit.is_some_and(|limit| (self.allowed)(number.order_to(limit)))
    }

    pub(super) fn allows(&self, number: Number<'_>) -> bool {
        (self.allowed)(self.limit.order_of(number))
    }
}

fn bound<'a>(parent: &'a Map<String, Json>, keyword: &str, value: &'a Json) -> Compiled<'a> {
    Ok(match NumberBound::of(parent, keyword, value) {
        Some(bound) => Box::new(bound),
        None => Box::new(Anything),
    })
}

impl<'i> Keyword<'i, Tape> for NumberBound {
    fn validate(&self, instance: TapeNode<'i>) -> Result<(), ValidationError<'i>> {
        refused_unless(self.is_valid(instance), &self.expected)
    }

    fn is_valid(&self, instance: TapeNode<'i>) -> bool {
        let number = instance.value().and_then(ValueRef::as_number);
        number.is_none_or(|number| self.allows(number))
    }
}

struct MultipleOf {
    divisor: Limit,
    expected: String,
}

fn multiple_of<'a>(parent: &'a Map<String, Json>, value: &'a Json) -> Compiled<'a> {
    let Some(divisor) = Limit::of(parent, "multipleOf", value) else {
        return Ok(Box::new(Anything));
    };
    let expected = format!("a multiple of {} (multipleOf)", divisor.digits);
    Ok(Box::new(MultipleOf { divisor, expected }))
}

impl<'i> Keyword<'i, Tape> for MultipleOf {
    fn validate(&self, instance: TapeNode<'i>) -> Result<(), ValidationError<'i>> {
        refused_unless(self.is_valid(instance), &self.expected)
    }

    fn is_valid(&self, instance: TapeNode<'i>) -> bool {
        let Some(number) = instance.value().and_then(ValueRef::as_number) else {
            return true;
        };
        match (number.as_i64(), self.divisor.integer) {
            (Some(number), Some(divisor)) if divisor > 0 => number % divisor == 0,
            _ => decimal(number.as_str()).is_multiple_of(&self.divisor.exact),
        }
    }
}

/// `const` and `enum`.
struct OneOf {
    strings: HashSet<String>,
    others: Vec<Value>,
    expected: String,
}

impl OneOf {
    fn new(options: Vec<Value>, expected: String) -> OneOf {
        let mut strings = HashSet::new();
        let mut others = Vec::new();
        for option in options {
            match option.root().as_str() {
                Some(string) => {
                    strings.insert(string.to_owned());
                }
                None => others.push(option),
            }
        }
        OneOf {
            strings,
            others,
            expected,
        }
    }
}

impl<'i> Keyword<'i, Tape> for OneOf {
    fn validate(&self, instance: TapeNode<'i>) -> Result<(), ValidationError<'i>> {
        refused_unless(self.is_valid(instance), &self.expected)
    }

    fn is_valid(&self, instance: TapeNode<'i>) -> bool {
        use jsonschema::json::Node;
        if let Some(string) = instance.as_string() {
            return self.strings.contains(&*string);
        }
        let Some(value) = instance.value() else {
            return false;
        };
        let mut others = self.others.iter();
        others.any(|option| equal(value, option.root()))
    }
}

/// The boolean of draft 4, which its bound reads.
struct Anything;

impl<'i> Keyword<'i, Tape> for Anything {
    fn validate(&self, _: TapeNode<'i>) -> Result<(), ValidationError<'i>> {
        Ok(())
    }

    fn is_valid(&self, _: TapeNode<'i>) -> bool {
        true
    }
}

fn refused_unless<'i>(valid: bool, expected: &str) -> Result<(), ValidationError<'i>> {
    if valid {
        Ok(())
    } else {
        Err(ValidationError::custom(expected))
    }
}

/// The options that a message lists, and how many more there are.
fn listed(options: &[Value]) -> String {
    const LISTED: usize = 6;
    let shown = options.iter().take(LISTED);
    let shown: Vec<String> = shown.map(|option| literal(option.root())).collect();
    match options.len().checked_sub(LISTED) {
        None | Some(0) => format!("one of {}", shown.join(", ")),
        Some(more) => format!("one of {} and {more} more", shown.join(", ")),
    }
}
