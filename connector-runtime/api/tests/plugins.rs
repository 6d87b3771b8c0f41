//! Positions, failures and the registry of plugins.

#![allow(clippy::unwrap_used, clippy::panic)]

use connect_api::{
    Batch, Cause, Failure, LEAF_FORMATS, Plugins, Positions, RejectedRecord, Result, Sink,
    SinkContext, SinkPlugin, Written, async_trait,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Table<'a> {
    schema: &'a str,
    name: &'a str,
}

/// The same partition, whatever the order its members are written in.
#[derive(Serialize)]
struct Reordered<'a> {
    name: &'a str,
    schema: &'a str,
}

#[test]
fn positions_are_kept_by_partition() {
    let mut positions = Positions::default();
    assert!(positions.is_empty());
    positions
        .set(
            &Table {
                schema: "s",
                name: "a",
            },
            &7,
        )
        .unwrap();
    positions
        .set(
            &Table {
                schema: "s",
                name: "b",
            },
            &("x", 1),
        )
        .unwrap();
    assert_eq!(
        positions.get(&Reordered {
            name: "a",
            schema: "s"
        }),
        Ok(Some(7))
    );
    assert_eq!(
        positions.get::<u64>(&Table {
            schema: "s",
            name: "c"
        }),
        Ok(None)
    );
    let texts: Vec<_> = positions.iter().collect();
    let expected = [
        (r#"{"name":"a","schema":"s"}"#, "7"),
        (r#"{"name":"b","schema":"s"}"#, r#"["x",1]"#),
    ];
    assert_eq!(texts, expected);

    let mut newer = Positions::default();
    newer
        .set(
            &Table {
                schema: "s",
                name: "a",
            },
            &8,
        )
        .unwrap();
    newer.insert_json(r#""whole""#.into(), "null".into());
    positions.merge(newer);
    assert_eq!(
        positions.get(&Table {
            schema: "s",
            name: "a"
        }),
        Ok(Some(8))
    );
    assert_eq!(positions.iter().count(), 3);
}

#[test]
fn a_position_of_another_shape_is_an_error_and_never_ignored() {
    let mut positions = Positions::default();
    positions.set(&"p", &"text").unwrap();
    positions.insert_json(r#""broken""#.into(), "{".into());
    for partition in ["p", "broken"] {
        match positions.get::<u64>(&partition) {
            Err(Failure::Fatal(cause)) => {
                assert!(cause.message.contains("stored position"), "{cause}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn failures_read_as_one_sentence() {
    let cause = Cause::new("relation is missing")
        .with_code("42P01")
        .with_help("run migrations");
    assert_eq!(
        cause.to_string(),
        "42P01: relation is missing (run migrations)"
    );
    assert_eq!(Failure::Fatal(cause.clone()).to_string(), cause.to_string());
    let refusal = |record| RejectedRecord {
        record,
        cause: Cause::new("too long"),
    };
    let refused = Failure::Refused(vec![refusal(3), refusal(4)]);
    assert_eq!(refused.to_string(), "2 records refused, first: too long");
    assert_eq!(
        Failure::Refused(Vec::new()).to_string(),
        "no records refused"
    );
}

struct Null;
struct Nowhere;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// How loud.
    #[allow(dead_code)]
    volume: Volume,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Volume {
    Low,
    High,
}

#[async_trait]
impl SinkPlugin for Null {
    const NAME: &'static str = "null";
    const ABOUT: &'static str = "forgets everything";
    const EXAMPLE: &'static str = "";
    type Config = Config;
    type Sink = Nowhere;

    async fn open(_config: &Config, _context: SinkContext) -> Result<Nowhere> {
        Ok(Nowhere)
    }
}

#[async_trait]
impl Sink for Nowhere {
    async fn write(&mut self, _batch: &Batch<'_>) -> Result<Written> {
        Ok(Written::Durable)
    }
}

#[test]
fn a_registered_plugin_is_configured_from_its_table() {
    let plugins = Plugins::new().sink::<Null>();
    let plugin = plugins.sinks().first().unwrap();
    assert_eq!(plugin.name, "null");
    let configure = |table| (plugin.configure)(table).map(drop);
    assert_eq!(configure(serde_json::json!({ "volume": "low" })), Ok(()));
    let error = configure(serde_json::json!({ "volume": "low", "valume": 1 })).unwrap_err();
    assert!(error.contains("unknown field `valume`"), "{error}");

    // A location in the schema follows from a location in the file.
    let schema = (plugin.schema)().to_value();
    assert!(!schema.to_string().contains("$ref"), "{schema}");
    let volume = schema.pointer("/properties/volume").unwrap();
    assert_eq!(volume.pointer("/description"), Some(&"How loud.".into()));
    assert_eq!(schema.pointer("/additionalProperties"), Some(&false.into()));
}

/// Every leaf type's example in its own description must be one.
#[test]
fn every_leaf_format_takes_good_and_refuses_bad_text() {
    for (name, good, bad) in [
        ("field", "$.store.id", "store.id"),
        ("fields", "$.lines[*].card", "lines[*].card"),
        ("field-path", "$.items[0].sku", "$.items[*]"),
        ("elements-path", "$.items[*]", "items[*]"),
        ("reference", "#header.trace", "#hader.trace"),
        (
            "predicate",
            "value.total > 100 && value.store.country == 'DE'",
            "total >",
        ),
        ("duration", "1h 30m", "90"),
        ("size", "4MiB", "4"),
        ("pattern", "^a+$", "("),
    ] {
        let format = LEAF_FORMATS.iter().find(|format| format.name == name);
        let format = format.unwrap();
        assert_eq!((format.check)(good), Ok(()), "{name}");
        assert!((format.check)(bad).is_err(), "{name}");
    }
    for format in LEAF_FORMATS {
        let text = format.stand_in.unwrap_or("anything");
        assert_eq!((format.check)(text), Ok(()), "{}", format.name);
    }
}
