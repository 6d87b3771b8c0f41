//! Decodes messages that become text or a number: times, durations and decimals.

use super::Reader;
use super::scalar::{content, int32, signed};
use crate::decimal;
use crate::formats::protobuf::schema::{FieldKind, Message, MessageForm};
use crate::formats::protobuf::special;
use crate::trail::{Misread, misread};

impl Reader<'_> {
    pub(super) fn time(&mut self, message: &Message, from: usize) -> Result<(), Misread> {
        let mut parts = [0_i64; 4];
        for found in self.found.get(from..).unwrap_or_default() {
            let field = message.field(found.field);
            let FieldKind::Scalar(scalar) = field.kind else {
                continue;
            };
            if let Some(part) = parts.get_mut(found.field) {
                *part = signed(scalar, found.wire)?;
            }
        }
        let [seconds, ..] = parts;
        // All but the seconds since 1970 are fields of 32 bits.
        let narrow = parts.map(|part| part as i32);
        let [_, nanoseconds, ..] = narrow;
        let [year, month, day, _] = narrow;
        let (text, expected) = match message.form {
            MessageForm::Timestamp => (
                special::timestamp_text(seconds, nanoseconds),
                "a time of the years 1 to 9999",
            ),
            MessageForm::Duration => (
                special::duration_text(seconds, nanoseconds),
                "a duration of up to 10000 years",
            ),
            MessageForm::Date => (
                special::date_text(year, month, day),
                "a day of the years 1 to 9999",
            ),
            _ => (special::time_of_day_text(narrow), "a time within a day"),
        };
        match text {
            Some(text) => Ok(self.out.string(&text)?),
            None => misread(format!("{} of {parts:?} is not {expected}", message.name)),
        }
    }

    pub(super) fn decimal(&mut self, message: &Message, from: usize) -> Result<(), Misread> {
        let (mut unscaled, mut scale): (&[u8], i64) = (&[], 0);
        for found in self.found.get(from..).unwrap_or_default() {
            match found.field {
                0 => unscaled = content(found.wire),
                2 => scale = int32(found.wire)?.into(),
                // The precision is a limit, and not needed to read the digits.
                _ => {}
            }
        }
        match decimal::digits(unscaled, scale) {
            Some(digits) => Ok(self.out.number(&digits)?),
            None => misread(format!(
                "{} of {} bytes with the scale {scale}",
                message.name,
                unscaled.len()
            )),
        }
    }
}
