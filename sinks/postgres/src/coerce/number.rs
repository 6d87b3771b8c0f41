//! Integers, floats and `numeric`. Nothing passes through a float unless the column is one.

use super::decimal::Decimal;
use super::{CoerceError, ColumnInput, expected, short_number, trimmed};

/// `numeric(precision, scale)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumericPrecision {
    pub(crate) precision: i32,
    /// Digits after the point; negative ones round before it.
    pub(crate) scale: i32,
}

/// A column of type `numeric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numeric {
    pub(crate) precision: Option<NumericPrecision>,
    /// Whether this server has infinite numerics.
    pub(crate) takes_infinity: bool,
}

/// The limits of `numeric` without a precision.
const MOST_INTEGER_DIGITS: i64 = 131_072;
const MOST_FRACTION_DIGITS: i64 = 16_383;

/// An integer, also one written as `1.0`, `1e3` or `"1"`: what counts is the value.
pub(super) fn integer<T: TryFrom<i64>>(input: ColumnInput<'_>) -> Result<T, CoerceError> {
    let number = match input {
        ColumnInput::Number(digits) => whole(digits)?,
        ColumnInput::Text(content) => whole(trimmed(content))?,
        ColumnInput::Integer(number) | ColumnInput::Instant(number) => number,
        _ => return Err(expected("an integer is expected")),
    };
    T::try_from(number).map_err(|_| expected("it is out of range"))
}

fn whole(digits: &str) -> Result<i64, CoerceError> {
    if let Some(number) = short_integer(digits.as_bytes()) {
        return Ok(number);
    }
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

/// An integer of so few digits that it cannot exceed 64 bits: nothing is checked but that they are digits.
fn short_integer(digits: &[u8]) -> Option<i64> {
    const MOST_DIGITS: usize = 18;
    let (is_negative, unsigned) = match digits {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, digits),
    };
    if !(1..=MOST_DIGITS).contains(&unsigned.len()) {
        return None;
    }
    let number = unsigned.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + i64::from(digit))
    })?;
    Some(if is_negative { -number } else { number })
}

pub(super) fn float8(input: ColumnInput<'_>) -> Result<f64, CoerceError> {
    let (content, is_text) = match input {
        ColumnInput::Number(digits) => (digits, false),
        ColumnInput::Text(content) => (trimmed(content), true),
        ColumnInput::Integer(number) | ColumnInput::Instant(number) => return Ok(number as f64),
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

pub(super) fn float4(input: ColumnInput<'_>) -> Result<f32, CoerceError> {
    let wide = float8(input)?;
    // Parsed again, so that the nearest float of the digits is taken and not the nearest of the nearest.
    let narrow = match input {
        ColumnInput::Number(content) | ColumnInput::Text(content) if wide.is_finite() => {
            trimmed(content)
                .parse::<f32>()
                .expect("what parses as a double parses as a float")
        }
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
    input: ColumnInput<'a>,
    written: &'a mut String,
    column: Numeric,
) -> Result<NumericInput<'a>, CoerceError> {
    use std::fmt::Write;
    let content = match input {
        ColumnInput::Number(digits) => digits,
        ColumnInput::Text(content) => match special_float(trimmed(content)) {
            Some(special) => return special_numeric(special, column),
            None => trimmed(content),
        },
        ColumnInput::Integer(number) | ColumnInput::Instant(number) => {
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

fn special_numeric<'a>(special: f64, column: Numeric) -> Result<NumericInput<'a>, CoerceError> {
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
fn check_limits(
    decimal: &Decimal<'_>,
    precision: Option<NumericPrecision>,
) -> Result<(), CoerceError> {
    if decimal.significant == 0 {
        return Ok(());
    }
    match precision {
        Some(NumericPrecision { precision, scale }) => {
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

pub(super) fn check_numeric(input: ColumnInput<'_>, column: Numeric) -> Result<(), CoerceError> {
    numeric_input(input, &mut String::new(), column).map(drop)
}

/// The binary form: groups of four decimal digits, aligned at the point, most significant first.
pub(super) fn numeric(
    input: ColumnInput<'_>,
    column: Numeric,
    out: &mut Vec<u8>,
) -> Result<(), CoerceError> {
    if let ColumnInput::Number(digits) = input
        && short_number::write(digits, column, out)
    {
        return Ok(());
    }
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
        Some(NumericPrecision { scale, .. }) => i64::from(scale.max(0)),
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
mod tests;
