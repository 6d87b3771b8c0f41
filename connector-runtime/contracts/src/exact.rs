//! Exact conversions: a value as a narrower type, or `None` if that would alter it.

use std::fmt::LowerExp;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Kind, ValueRef};

use crate::decimal::ExactDecimal;

/// Bytes, or base64 text, which is their JSON form.
pub(crate) fn bytes(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value.kind() {
        Kind::Bytes(content) => Some(content.to_vec()),
        Kind::String(text) => STANDARD.decode(text).ok(),
        _ => None,
    }
}

/// An integer in any notation: `1.0` and `1e3` are integers.
pub(crate) fn whole<N: TryFrom<i128>>(value: ValueRef<'_>) -> Option<N> {
    let number = value.as_number()?;
    let number = match (number.as_i64(), number.as_u64()) {
        (Some(signed), _) => signed.into(),
        (None, Some(unsigned)) => unsigned.into(),
        (None, None) => i128::try_from(ExactDecimal::parse(number.as_str())?.unscaled(0)?).ok()?,
    };
    N::try_from(number).ok()
}

/// A float type, and its values that JSON writes as strings.
pub(crate) trait Float: FromStr + LowerExp + Copy {
    const NAN: Self;
    const INFINITY: Self;
    const NEG_INFINITY: Self;
}

impl Float for f32 {
    const NAN: f32 = f32::NAN;
    const INFINITY: f32 = f32::INFINITY;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;
}

impl Float for f64 {
    const NAN: f64 = f64::NAN;
    const INFINITY: f64 = f64::INFINITY;
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;
}

pub(crate) fn float<F: Float>(value: ValueRef<'_>) -> Option<F> {
    match value.as_str() {
        Some("NaN") => Some(F::NAN),
        Some("Infinity") => Some(F::INFINITY),
        Some("-Infinity") => Some(F::NEG_INFINITY),
        Some(_) => None,
        None => keeping_float(value.as_number()?.as_str()),
    }
}

/// The nearest float, if printing it with as many digits gives the number again. So 0.1 and the output of `printf` are kept. A
/// number between two floats, beyond their range or too close to zero is refused.
fn keeping_float<F: Float>(number: &str) -> Option<F> {
    let exact = ExactDecimal::parse(number)?;
    let nearest: F = number.parse().ok()?;
    let decimals = exact.significant_digits().saturating_sub(1);
    let written = ExactDecimal::parse(&format!("{nearest:.decimals$e}"));
    (written? == exact).then_some(nearest)
}

/// A number, or its text: other producers of JSON write long decimals as strings.
pub(crate) fn digits(value: ValueRef<'_>) -> Option<ExactDecimal> {
    let digits = match value.as_number() {
        Some(number) => number.as_str(),
        None => value.as_str()?,
    };
    ExactDecimal::parse(digits)
}
