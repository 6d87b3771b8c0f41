//! From what the catalog says of a type to a [`ColumnType`].

use super::ColumnType;
use super::interval;
use super::money::Money;
use super::number::{Numeric, NumericPrecision};
use super::server_read::Form;
use super::time::Decimals;

/// A base type in the catalog's words, of a column or of an array's elements.
pub(crate) struct DeclaredType {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `pg_type.typtype`.
    pub(crate) kind: String,
    /// What is in the parentheses, in the catalog's coding; negative for nothing.
    pub(crate) modifier: i32,
    /// Of an enum.
    pub(crate) labels: Vec<String>,
    pub(crate) server: Server,
}

/// What the server's version and settings decide about types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// Digits of `money` after the point, by `lc_monetary`.
    pub(crate) money_decimals: u8,
    /// PostgreSQL 14 and later have infinite numerics.
    pub(crate) has_infinite_numeric: bool,
}

impl DeclaredType {
    pub(crate) fn column_type(self) -> ColumnType {
        if self.kind == "e" {
            return ColumnType::Enum {
                labels: self.labels,
            };
        }
        if self.schema != "pg_catalog" {
            return ColumnType::Other(Form::of_extension(&self.name));
        }
        // Lengths and precisions are stored with the four bytes of a length word added.
        let parenthesis = (self.modifier >= 4).then_some(self.modifier - 4);
        let longest = parenthesis.and_then(|length| usize::try_from(length).ok());
        let decimals = Decimals(u8::try_from(self.modifier).ok());
        match self.name.as_str() {
            "bool" => ColumnType::Bool,
            "int2" => ColumnType::Int2,
            "int4" => ColumnType::Int4,
            "int8" => ColumnType::Int8,
            "float4" => ColumnType::Float4,
            "float8" => ColumnType::Float8,
            "numeric" => ColumnType::Numeric(Numeric {
                precision: parenthesis.map(|coded| NumericPrecision {
                    precision: (coded >> 16) & 0xFFFF,
                    // Eleven bits with a sign.
                    scale: ((coded & 0x7FF) ^ 0x400) - 0x400,
                }),
                takes_infinity: self.server.has_infinite_numeric,
            }),
            "money" => ColumnType::Money(Money {
                decimals: self.server.money_decimals,
            }),
            "text" => ColumnType::Text { longest: None },
            "varchar" => ColumnType::Text { longest },
            "bpchar" => ColumnType::Char { longest },
            "name" => ColumnType::Name,
            "char" => ColumnType::SingleByte,
            "uuid" => ColumnType::Uuid,
            "date" => ColumnType::Date,
            "time" => ColumnType::Time(decimals),
            "timestamp" => ColumnType::Timestamp(decimals),
            "timestamptz" => ColumnType::TimestampTz(decimals),
            "interval" => {
                ColumnType::Interval(interval::IntervalPrecision::of_modifier(self.modifier))
            }
            "json" => ColumnType::Json,
            "jsonb" => ColumnType::Jsonb,
            "bytea" => ColumnType::Bytea,
            name => ColumnType::Other(Form::built_in(name)),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The built-in type of this name and modifier.
    pub(crate) fn named(name: &str, modifier: i32) -> ColumnType {
        DeclaredType {
            schema: "pg_catalog".into(),
            name: name.into(),
            kind: "b".into(),
            modifier,
            labels: Vec::new(),
            server: Server {
                money_decimals: 2,
                has_infinite_numeric: true,
            },
        }
        .column_type()
    }
}
