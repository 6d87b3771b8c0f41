//! Integers, floats and `numeric`. Nothing passes through a float unless the column is one.

use super::decimal::Decimal;
use super::{Input, Misfit, expected, trimmed};

/// `numeric(precision, scale)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precision {
    pub(crate) precision: i32,
    /// Digits after the point; negative ones round before it.
    pub(crate) scale: i32,
}

/// A column of type `numeric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numeric {
    pub(crate) precision: Option<Precision>,
    /// Whether this server has infinite numerics.
    pub(crate) takes_infinity: bool,
}

/// The limits of `numeric` without a precision.
const MOST_INTEGER_DIGITS: i64 = 131_072;
const MOST_FRACTION_DIGITS: i64 = 16_383;

/// An integer, also one written as `1.0`, `1e3` or `"1"`: what counts is the value.
pub(super) fn integer<T: TryFrom<i64>>(input: Input<'_>) -> Result<T, Misfit> {
    let number = match input {
        Input::Number(digits) => whole(digits)?,
        Input::Text(content) => whole(trimmed(content))?,
        Input::Integer(number) | Input::Instant(number) => number,
        _ => return Err(expected("an integer is expected")),
    };
    T::try_from(number).map_err(|_| expected("it is out of range"))
}

fn whole(digits: &str) -> Result<i64, Misfit> {
    if let Ok(number) = digits.parse::<i64>() {
        return Ok(number);
    }
    let decimal = Decimal::parse(digits)
        .filter(|_| Decimal::has_whole_digits(digits))
        .ok_or(expected("an integer is expected"))?;
    if decimal.fraction_digits() > 0 {
        return Err(expected("an integer is expected, and it has a fraction"));
    }
    decimal
        .shifted_integer(0)
        .ok_or(expected("it is out of range"))
}

pub(super) fn float8(input: Input<'_>) -> Result<f64, Misfit> {
    let (content, is_text) = match input {
        Input::Number(digits) => (digits, false),
        Input::Text(content) => (trimmed(content), true),
        Input::Integer(number) | Input::Instant(number) => return Ok(number as f64),
        _ => return Err(expected("a number is expected")),
    };
    if is_text && let Some(special) = special_float(content) {
        return Ok(special);
    }
    if is_text && Decimal::parse(content).is_none() {
        return Err(expected("a number is expected"));
    }
    match content.parse::<f64>() {
        Ok(0.0) if !is_zero(content) => Err(expected(TOO_SMALL)),
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(expected("it is out of range")),
        Err(_) => Err(expected("a number is expected")),
    }
}

pub(super) fn float4(input: Input<'_>) -> Result<f32, Misfit> {
    let wide = float8(input)?;
    // Parsed again, so that the nearest float of the digits is taken and not the nearest of the nearest.
    let narrow = match input {
        Input::Number(content) | Input::Text(content) if wide.is_finite() => trimmed(content)
            .parse::<f32>()
            .expect("what parses as a double parses as a float"),
        _ => wide as f32,
    };
    if wide.is_finite() && !narrow.is_finite() {
        return Err(expected("it is out of range"));
    }
    if narrow == 0.0 && wide != 0.0 {
        return Err(expected(TOO_SMALL));
    }
    Ok(narrow)
}

/// PostgreSQL refuses it as well: a number that becomes nothing is not rounded but lost.
const TOO_SMALL: &str = "it is out of range: nearer to 0 than the type can tell";

/// Whether the digits say 0, whatever the exponent.
fn is_zero(content: &str) -> bool {
    let digits = content.split(['e', 'E']).next().unwrap_or_default();
    !digits.contains(|c: char| ('1'..='9').contains(&c))
}

/// The words that PostgreSQL reads beside digits.
fn special_float(content: &str) -> Option<f64> {
    let words = [
        ("nan", f64::NAN),
        ("infinity", f64::INFINITY),
        ("+infinity", f64::INFINITY),
        ("-infinity", f64::NEG_INFINITY),
        ("inf", f64::INFINITY),
        ("+inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
    ];
    words
        .iter()
        .find(|(word, _)| content.eq_ignore_ascii_case(word))
        .map(|(_, number)| *number)
}

/// A number for `numeric`: digits, or what JSON can only say as a string.
enum NumericInput<'a> {
    Decimal(Decimal<'a>),
    Special(f64),
}

fn numeric_input<'a>(
    input: Input<'a>,
    written: &'a mut String,
    column: Numeric,
) -> Result<NumericInput<'a>, Misfit> {
    use std::fmt::Write;
    let content = match input {
        Input::Number(digits) => digits,
        Input::Text(content) => match special_float(trimmed(content)) {
            Some(special) => return special_numeric(special, column),
            None => trimmed(content),
        },
        Input::Integer(number) | Input::Instant(number) => {
            // Writing to a string does not fail.
            let _ = write!(written, "{number}");
            written.as_str()
        }
        _ => return Err(expected("a number is expected")),
    };
    let decimal = Decimal::parse(content).ok_or(expected("a number is expected"))?;
    check_limits(&decimal, column.precision)?;
    Ok(NumericInput::Decimal(decimal))
}

fn special_numeric<'a>(special: f64, column: Numeric) -> Result<NumericInput<'a>, Misfit> {
    if special.is_infinite() && column.precision.is_some() {
        return Err(expected("a numeric with a precision holds no infinity"));
    }
    if special.is_infinite() && !column.takes_infinity {
        return Err(expected(
            "this server's numeric holds no infinity: PostgreSQL 14 and later do",
        ));
    }
    Ok(NumericInput::Special(special))
}

fn digits(count: impl Into<i64>) -> &'static str {
    match count.into() {
        1 => "digit",
        _ => "digits",
    }
}

/// PostgreSQL would round to the scale in silence; money that changes on its way is refused instead.
fn check_limits(decimal: &Decimal<'_>, precision: Option<Precision>) -> Result<(), Misfit> {
    if decimal.significant == 0 {
        return Ok(());
    }
    match precision {
        Some(Precision { precision, scale }) => {
            let whole_digits = i64::from(precision - scale);
            if decimal.point > whole_digits {
                return Err(format!(
                    "more than {whole_digits} {} before the point",
                    digits(whole_digits)
                )
                .into());
            }
            if decimal.significant as i64 - decimal.point > i64::from(scale) {
                return Err(if scale < 0 {
                    format!("it is not a multiple of 1e{}", -scale).into()
                } else {
                    format!("more than {scale} {} after the point", digits(scale)).into()
                });
            }
        }
        None => {
            if decimal.point > MOST_INTEGER_DIGITS {
                return Err(
                    format!("more than {MOST_INTEGER_DIGITS} digits before the point").into(),
                );
            }
            if decimal.fraction_digits() > MOST_FRACTION_DIGITS {
                return Err(
                    format!("more than {MOST_FRACTION_DIGITS} digits after the point").into(),
                );
            }
        }
    }
    Ok(())
}

pub(super) fn check_numeric(input: Input<'_>, column: Numeric) -> Result<(), Misfit> {
    numeric_input(input, &mut String::new(), column).map(drop)
}

/// The binary form: groups of four decimal digits, aligned at the point, most significant first.
pub(super) fn numeric(input: Input<'_>, column: Numeric, out: &mut Vec<u8>) -> Result<(), Misfit> {
    const POSITIVE: u16 = 0x0000;
    const NEGATIVE: u16 = 0x4000;
    const NOT_A_NUMBER: u16 = 0xC000;
    const INFINITY: u16 = 0xD000;
    const NEGATIVE_INFINITY: u16 = 0xF000;
    let mut header = |groups: i64, weight: i64, sign: u16, scale: i64| {
        out.extend_from_slice(&(groups as u16).to_be_bytes());
        out.extend_from_slice(&(weight as i16).to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&(scale as u16).to_be_bytes());
    };
    let mut written = String::new();
    let decimal = match numeric_input(input, &mut written, column)? {
        NumericInput::Decimal(decimal) => decimal,
        NumericInput::Special(special) => {
            let sign = match special {
                f64::INFINITY => INFINITY,
                f64::NEG_INFINITY => NEGATIVE_INFINITY,
                _ => NOT_A_NUMBER,
            };
            header(0, 0, sign, 0);
            return Ok(());
        }
    };
    let scale = match column.precision {
        Some(Precision { scale, .. }) => i64::from(scale.max(0)),
        None => decimal.written_fraction.min(MOST_FRACTION_DIGITS),
    };
    if decimal.significant == 0 {
        header(0, 0, POSITIVE, scale);
        return Ok(());
    }
    // The first group may be short: 12345.6 is the groups 1, 2345, 6000 with weight 1.
    let weight = (decimal.point - 1).div_euclid(4);
    let first_length = decimal.point - weight * 4;
    let groups = 1 + ((decimal.significant as i64 - first_length).max(0) + 3) / 4;
    let sign = if decimal.negative { NEGATIVE } else { POSITIVE };
    header(groups, weight, sign, scale);
    let mut place = first_length - 4;
    for _ in 0..groups {
        let group = (place..place + 4).fold(0_u16, |group, place| {
            group * 10 + u16::from(decimal.digit(place))
        });
        out.extend_from_slice(&group.to_be_bytes());
        place += 4;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn integers() {
        let cases: [(&str, Result<i64, &str>); 16] = [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1", Ok(1)),
            ("1.0", Ok(1)),
            ("1e3", Ok(1000)),
            ("1200e-2", Ok(12)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("-9223372036854775808.0", Ok(i64::MIN)),
            ("9223372036854775807.00", Ok(i64::MAX)),
            ("9223372036854775808", Err("out of range")),
            ("1e19", Err("out of range")),
            ("1e999999999999", Err("out of range")),
            ("1.5", Err("has a fraction")),
            ("1e-1", Err("has a fraction")),
            ("abc", Err("an integer is expected")),
            ("", Err("an integer is expected")),
        ];
        for (digits, expected) in cases {
            for input in [Input::Number(digits), Input::Text(digits)] {
                match (integer::<i64>(input), expected) {
                    (Ok(found), Ok(number)) => assert_eq!(found, number, "{digits}"),
                    (Err(found), Err(part)) => assert!(found.contains(part), "{digits}: {found}"),
                    (found, _) => unreachable!("{digits}: {found:?}"),
                }
            }
        }
        assert!(integer::<i16>(Input::Number("32768")).is_err());
        assert_eq!(integer::<i16>(Input::Number("-32768")), Ok(-32768));
    }

    #[test]
    fn floats() {
        assert_eq!(float8(Input::Number("0.1")), Ok(0.1));
        assert_eq!(float4(Input::Number("0.1")), Ok(0.1_f32));
        assert!(float8(Input::Number("1e400")).is_err());
        assert!(float4(Input::Number("1e39")).is_err());
        assert_eq!(float8(Input::Text("-Infinity")), Ok(f64::NEG_INFINITY));
        assert!(float8(Input::Text("NaN")).unwrap().is_nan());
        assert!(float8(Input::Text("infinit")).is_err());
        assert!(float8(Input::Text("")).is_err());
        assert!(float8(Input::Bool(true)).is_err());
        for nothing in ["0", "-0.0", "0e-400", "0.00E5"] {
            assert_eq!(float8(Input::Number(nothing)), Ok(0.0), "{nothing}");
            assert_eq!(float4(Input::Text(nothing)), Ok(0.0), "{nothing}");
        }
        assert_eq!(float8(Input::Number("5e-324")), Ok(5e-324));
        assert!(float8(Input::Number("1e-400")).is_err());
        assert!(float4(Input::Number("1e-46")).is_err());
    }

    /// The fields of the binary form: groups, weight, sign, scale, then the groups.
    fn binary(digits: &str, precision: Option<(i32, i32)>) -> Result<Vec<i16>, String> {
        let column = Numeric {
            precision: precision.map(|(precision, scale)| Precision { precision, scale }),
            takes_infinity: true,
        };
        let mut out = Vec::new();
        numeric(Input::Number(digits), column, &mut out).map_err(|misfit| misfit.to_string())?;
        Ok(out
            .chunks(2)
            .map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
            .collect())
    }

    #[test]
    fn numerics() {
        let cases: [(&str, &[i16]); 12] = [
            ("0", &[0, 0, 0, 0]),
            ("0.00", &[0, 0, 0, 2]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-1", &[1, 0, 0x4000, 0, 1]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("12345.6", &[3, 1, 0, 1, 1, 2345, 6000]),
            ("0.0001", &[1, -1, 0, 4, 1]),
            ("0.00001", &[1, -2, 0, 5, 1000]),
            (
                "12345678901234567.89",
                &[6, 4, 0, 2, 1, 2345, 6789, 123, 4567, 8900],
            ),
            ("1.50", &[2, 0, 0, 2, 1, 5000]),
            ("1e5", &[1, 1, 0, 0, 10]),
            ("15e-1", &[2, 0, 0, 1, 1, 5000]),
        ];
        for (digits, expected) in cases {
            assert_eq!(binary(digits, None).unwrap(), expected, "{digits}");
        }
        assert_eq!(binary("1.5", Some((10, 2))).unwrap(), [2, 0, 0, 2, 1, 5000]);
        assert_eq!(
            binary("1.50000", Some((10, 2))).unwrap(),
            [2, 0, 0, 2, 1, 5000]
        );
        assert_eq!(binary("1200", Some((3, -2))).unwrap(), [1, 0, 0, 0, 1200]);
    }

    #[test]
    fn numerics_that_do_not_fit() {
        let cases = [
            ("1.234", Some((10, 2)), "more than 2 digits after the point"),
            (
                "123456789",
                Some((10, 2)),
                "more than 8 digits before the point",
            ),
            (
                "1e400",
                Some((10, 2)),
                "more than 8 digits before the point",
            ),
            ("1e131073", None, "more than 131072 digits before"),
            ("1e-16384", None, "more than 16383 digits after"),
            ("1e9999999999999999999999", None, "digits before the point"),
        ];
        for (digits, precision, part) in cases {
            let found = binary(digits, precision).unwrap_err();
            assert!(found.contains(part), "{digits}: {found}");
        }
    }
}
