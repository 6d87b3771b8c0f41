//! `errors.stop_after`: the number of rejects at which a connector with `tolerance = "all"` stops.
//!
//! It has a default because a wrong setting (the format of the value, the contract) rejects every record, and the whole topic
//! would become dead letters before anyone notices.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

const NEVER: &str = "never";

/// The number of rejects at which a connector stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAfter {
    /// All of the first so many records that a task reads, or a source polls, after a start; filtered records do not count.
    /// A file cannot set it.
    AllOfFirst(u32),
    /// So many of the latest records.
    Rejects { rejects: u32, in_last: u32 },
    /// The connector does not stop, whatever is rejected.
    Never,
}

impl Default for StopAfter {
    fn default() -> StopAfter {
        StopAfter::AllOfFirst(100)
    }
}

/// `stop_after` as a table.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RejectLimit {
    /// This many rejected records…
    #[schemars(range(min = 1))]
    rejects: u32,
    /// …among this many of the latest.
    #[schemars(range(min = 1))]
    in_last: u32,
}

impl<'de> Deserialize<'de> for StopAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrTable;
        impl<'de> Visitor<'de> for WordOrTable {
            type Value = StopAfter;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("\"never\" or a table with `rejects` and `in_last`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<StopAfter, E> {
                if word == NEVER {
                    Ok(StopAfter::Never)
                } else {
                    Err(E::invalid_value(Unexpected::Str(word), &self))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<StopAfter, A::Error> {
                let limit = RejectLimit::deserialize(MapAccessDeserializer::new(table))?;
                Ok(StopAfter::Rejects {
                    rejects: limit.rejects,
                    in_last: limit.in_last,
                })
            }
        }
        deserializer.deserialize_any(WordOrTable)
    }
}

impl JsonSchema for StopAfter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StopAfter".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "oneOf": [
                { "type": "string", "enum": [NEVER] },
                generator.subschema_for::<RejectLimit>(),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stop_after_is_a_word_or_a_table() {
        let limit = StopAfter::Rejects {
            rejects: 3,
            in_last: 10,
        };
        let cases = [
            (json!("never"), Some(StopAfter::Never)),
            (json!({ "rejects": 3, "in_last": 10 }), Some(limit)),
            (json!("Never"), None),
            (json!("100"), None),
            (json!(100), None),
            (json!(false), None),
            (json!([]), None),
            (json!({}), None),
            (json!({ "rejects": 3 }), None),
            (json!({ "rejects": 3, "in_last": 10, "more": 1 }), None),
            (json!({ "rejects": -3, "in_last": 10 }), None),
        ];
        for (written, expected) in cases {
            let read = serde_json::from_value(written.clone()).ok();
            assert_eq!(read, expected, "{written}");
        }
    }
}
