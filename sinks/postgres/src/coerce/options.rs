//! Which of a column's options its type has a use for. An option without one would be a silent misunderstanding: with
//! `unit = "ms"` on an interval, 90 would still be 90 seconds.

use super::{ColumnType, Reading, unscaled};
use crate::config::{ColumnSource, Config, TimeUnit};

impl Reading {
    pub(crate) fn new(config: &Config, source: &ColumnSource) -> Reading {
        Reading {
            unit: source.unit,
            unscaled: source.decimal.and(source.scale).map(unscaled::Scale),
            parse: source.parse,
            naive_time: config.naive_time,
            null_character: config.null_character,
        }
    }
}

impl ColumnType {
    /// What is wrong with the options of a column of this type, as half a sentence.
    pub(crate) fn option_problem(&self, source: &ColumnSource) -> Option<&'static str> {
        let leaf = self.leaf();
        let is_time = matches!(leaf, ColumnType::Time(_));
        let takes_unit = is_time
            || matches!(
                leaf,
                ColumnType::Date | ColumnType::Timestamp(_) | ColumnType::TimestampTz(_)
            );
        let takes_digits = matches!(
            leaf,
            ColumnType::Int2
                | ColumnType::Int4
                | ColumnType::Int8
                | ColumnType::Float4
                | ColumnType::Float8
                | ColumnType::Numeric(_)
                | ColumnType::Money(_)
                | ColumnType::Text { .. }
                | ColumnType::Char { .. }
        );
        let takes_json = matches!(leaf, ColumnType::Json | ColumnType::Jsonb);
        if source.unit.is_some() && !takes_unit {
            return Some("`unit` is for date, time and timestamp columns");
        }
        if source.unit == Some(TimeUnit::Days) && is_time {
            return Some("a time of day is counted in \"s\", \"ms\", \"us\" or \"ns\"");
        }
        if source.decimal.is_some() && !takes_digits {
            return Some("`decimal` is for columns of numbers and text");
        }
        if source.parse && !takes_json {
            return Some("`parse` is for json and jsonb columns");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::named;
    use super::*;

    #[test]
    fn options_and_types() {
        let plain = ColumnSource::from(connect_api::Reference::parse("$.a").unwrap());
        let unit = |unit| ColumnSource {
            unit: Some(unit),
            ..plain.clone()
        };
        let decimal = ColumnSource {
            decimal: Some(crate::config::DecimalFormat::Base64),
            scale: Some(2),
            ..plain.clone()
        };
        let parse = ColumnSource {
            parse: true,
            ..plain.clone()
        };
        let (days, milliseconds) = (unit(TimeUnit::Days), unit(TimeUnit::Milliseconds));
        let cases = [
            (&plain, "interval", true),
            (&days, "date", true),
            (&days, "timestamptz", true),
            (&days, "time", false),
            (&milliseconds, "time", true),
            (&milliseconds, "interval", false),
            (&milliseconds, "timetz", false),
            (&milliseconds, "int8", false),
            (&decimal, "numeric", true),
            (&decimal, "money", true),
            (&decimal, "int8", true),
            (&decimal, "text", true),
            (&decimal, "bytea", false),
            (&decimal, "bool", false),
            (&parse, "jsonb", true),
            (&parse, "json", true),
            (&parse, "text", false),
        ];
        for (source, name, is_fine) in cases {
            let column_type = named(name, -1);
            let array = ColumnType::Array {
                element: Box::new(column_type.clone()),
                element_oid: 0,
                delimiter: b',',
            };
            for column_type in [column_type, array] {
                let problem = column_type.option_problem(source);
                assert_eq!(problem.is_none(), is_fine, "{column_type:?} {source:?}");
            }
        }
    }
}
