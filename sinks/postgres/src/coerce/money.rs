//! `money`: an integer of the smallest unit. How many digits it keeps is a setting of the server (`lc_monetary`), and so is
//! how its text form is read: `12.34` is 1234 where the point separates thousands. Hence digits only, and binary.

use super::decimal::Decimal;
use super::{CoerceError, ColumnInput, expected, trimmed};

/// `money` on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    /// Digits after the point that it keeps.
    pub(crate) decimals: u8,
}

impl Money {
    /// The amount in the smallest unit.
    pub(super) fn amount(self, input: ColumnInput<'_>) -> Result<i64, CoerceError> {
        let written;
        let digits = match input {
            ColumnInput::Number(digits) => digits,
            ColumnInput::Text(content) => trimmed(content),
            ColumnInput::Integer(number) => {
                written = number.to_string();
                &written
            }
            _ => return Err(not_an_amount()),
        };
        let decimal = Decimal::parse(digits).ok_or_else(not_an_amount)?;
        let decimals = i64::from(self.decimals);
        if decimal.fraction_digits() > decimals {
            return Err(match decimals {
                0 => expected("money has no digits after the point here (lc_monetary)"),
                1 => expected("more than 1 digit after the point, and money keeps no more here (lc_monetary)"),
                _ => format!(
                    "more than {decimals} digits after the point, and money keeps no more here (lc_monetary)"
                )
                .into(),
            });
        }
        decimal
            .shifted_integer(decimals)
            .ok_or(expected("it is out of range"))
    }

    /// The amount in digits, which the statement casts by way of `numeric`.
    pub(super) fn text(self, input: ColumnInput<'_>) -> Result<String, CoerceError> {
        let amount = self.amount(input)?;
        let decimals = usize::from(self.decimals);
        let digits = format!("{:0>width$}", amount.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if amount < 0 { "-" } else { "" };
        let point = if decimals == 0 { "" } else { "." };
        Ok(format!("{sign}{whole}{point}{fraction}"))
    }
}

fn not_an_amount() -> CoerceError {
    expected(
        "an amount in digits such as 1234.50 is expected, without currency signs and without separators of thousands: how the server reads those depends on lc_monetary",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let cases = [
            ("12.34", 2, Ok((1234, "12.34"))),
            ("-0.05", 2, Ok((-5, "-0.05"))),
            ("12.340", 2, Ok((1234, "12.34"))),
            ("1e3", 2, Ok((100_000, "1000.00"))),
            ("0", 2, Ok((0, "0.00"))),
            ("5", 0, Ok((5, "5"))),
            ("1.234", 3, Ok((1234, "1.234"))),
            (
                "92233720368547758.07",
                2,
                Ok((i64::MAX, "92233720368547758.07")),
            ),
            (
                "-92233720368547758.08",
                2,
                Ok((i64::MIN, "-92233720368547758.08")),
            ),
            ("92233720368547758.08", 2, Err("out of range")),
            ("1e400", 2, Err("out of range")),
            ("12.345", 2, Err("more than 2 digits after the point")),
            ("5.5", 0, Err("no digits after the point")),
            ("$12.34", 2, Err("without currency signs")),
            ("1,234.50", 2, Err("separators of thousands")),
            ("NaN", 2, Err("an amount in digits")),
            ("", 2, Err("an amount in digits")),
        ];
        for (content, decimals, expected) in cases {
            let money = Money { decimals };
            for input in [ColumnInput::Number(content), ColumnInput::Text(content)] {
                match (money.amount(input), money.text(input), expected) {
                    (Ok(amount), Ok(text), Ok(right)) => {
                        assert_eq!((amount, text.as_str()), right, "{content}");
                    }
                    (Err(found), Err(_), Err(part)) => {
                        assert!(found.contains(part), "{content}: {found}");
                    }
                    found => unreachable!("{content}: {found:?}"),
                }
            }
        }
    }
}
