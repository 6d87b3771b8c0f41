//! Plugins for tests: one of each kind, with every kind of key that real ones have. The engine names no real plugin.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connect_api::{
    Batch, Cause, CheckContext, Duration, ElementsPath, Explanation, Failure, FieldPath, FilePath,
    Finding, Plugins, Polled, Presence, Record, Reference, SchemaFile, Secret, Sink, SinkContext,
    SinkPlugin, Source, SourceContext, SourcePlugin, Step, Transform, TransformPlugin,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) fn plugins() -> Plugins {
    Plugins::new()
        .sink::<Warehouse>()
        .sink::<Copy>()
        .sink::<Print>()
        .source::<Clock>()
        .transform::<Set>()
}

fn closed<T>() -> Result<T, Failure> {
    Err(Failure::Fatal(Cause::new("a fake does nothing")))
}

struct Nothing;

#[async_trait]
impl Sink for Nothing {
    async fn write(&mut self, _: &Batch<'_>) -> Result<connect_api::Written, Failure> {
        closed()
    }
}

#[async_trait]
impl Source for Nothing {
    async fn poll(&mut self) -> Result<Polled, Failure> {
        closed()
    }
}

impl Transform for Nothing {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        Ok(Step::Keep(record))
    }
}

/// As a database sink is.
struct Warehouse;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only read by serde and schemars")]
struct WarehouseConfig {
    /// Where the database is.
    url: Secret,
    /// Its port.
    port: Option<u16>,
    /// Instead of one in the url.
    password: Option<Secret>,
    /// Whether a pooler stands between.
    #[serde(default)]
    pooler: bool,
    /// How long one statement may take.
    #[serde(default = "thirty_seconds")]
    timeout: Duration,
    /// SQL files to run first.
    migrations: Option<FilePath>,
    /// The tables to write to.
    #[schemars(length(min = 1))]
    tables: Vec<Table>,
}

fn thirty_seconds() -> Duration {
    Duration::from_millis(30_000)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only read by serde and schemars")]
struct Table {
    /// The table's name.
    table: String,
    /// What is done with a record.
    #[serde(default)]
    mode: WriteMode,
    /// The key's columns.
    #[serde(default)]
    key: Vec<String>,
    /// One row for each of these.
    each: Option<ElementsPath>,
    /// What each column gets.
    columns: BTreeMap<String, Column>,
}

/// What is done with a record.
#[derive(Clone, Copy, Debug, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WriteMode {
    /// Append a row.
    #[default]
    Insert,
    /// Insert or replace by key.
    Upsert,
    /// Delete by key.
    Delete,
}

/// A path, or a table with a path and a unit.
#[derive(Debug)]
struct Column(Reference);

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Reference::parse(&text),
            table => Reference::parse(table["path"].as_str().unwrap_or_default()),
        }
        .map(Column)
        .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Column {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "format": "reference" },
                {
                    "type": "object",
                    "properties": {
                        "path": { "type": "string", "format": "reference", "description": "Where the value is." },
                        "unit": { "type": "string", "enum": ["s", "ms"] },
                    },
                    "required": ["path"],
                    "additionalProperties": false,
                },
            ]
        })
    }
}

#[async_trait]
impl SinkPlugin for Warehouse {
    const NAME: &'static str = "warehouse";
    const ABOUT: &'static str = "rows of tables";
    const EXAMPLE: &'static str = "type = \"warehouse\"";
    const EXPLANATIONS: &'static [Explanation] = &[Explanation {
        code: "warehouse.element-without-each",
        why: "`@` is the element of `each`.",
        example: "columns = { sku = \"@.sku\" }",
        fix: "each = \"$.items[*]\"",
    }];
    type Config = WarehouseConfig;
    type Sink = Nothing;

    fn check(config: &WarehouseConfig, context: &CheckContext<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, table) in config.tables.iter().enumerate() {
            for (name, Column(reference)) in &table.columns {
                let pointer = format!("/tables/{index}/columns/{name}");
                if reference.needs_element() && table.each.is_none() {
                    let message =
                        format!("`{reference}` is the element of `each`, and there is no `each`");
                    let finding =
                        Finding::error("warehouse.element-without-each", &pointer, message);
                    findings.push(
                        finding
                            .with_label("has no element")
                            .with_help("add each = \"$.items[*]\""),
                    );
                }
                let (Reference::Path(path), Some(contract)) = (reference, context.contract) else {
                    continue;
                };
                let steps: Vec<_> = path.steps().iter().cloned().map(Some).collect();
                if contract.field(&steps).presence == Presence::Never {
                    let message = format!("the contract has no `{reference}`");
                    findings.push(Finding::warning("warehouse.never-there", pointer, message));
                }
            }
        }
        findings
    }

    async fn open(_: &WarehouseConfig, _: SinkContext) -> Result<Nothing, Failure> {
        closed()
    }
}

/// As a sink that writes to Kafka is.
struct Copy;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only read by serde and schemars")]
struct CopyConfig {
    /// The topic to write to.
    topic: String,
    /// The contract of what is written.
    schema: Option<SchemaFile>,
    /// The copy's key.
    key: Option<Reference>,
}

#[async_trait]
impl SinkPlugin for Copy {
    const NAME: &'static str = "copy";
    const ABOUT: &'static str = "another topic";
    const EXAMPLE: &'static str = "type = \"copy\"\ntopic = \"b\"";
    type Config = CopyConfig;
    type Sink = Nothing;

    fn target_topics(config: &CopyConfig) -> Vec<String> {
        vec![config.topic.clone()]
    }

    async fn open(_: &CopyConfig, _: SinkContext) -> Result<Nothing, Failure> {
        closed()
    }
}

/// A sink without keys.
struct Print;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PrintConfig {}

#[async_trait]
impl SinkPlugin for Print {
    const NAME: &'static str = "print";
    const ABOUT: &'static str = "lines";
    const EXAMPLE: &'static str = "type = \"print\"";
    type Config = PrintConfig;
    type Sink = Nothing;

    async fn open(_: &PrintConfig, _: SinkContext) -> Result<Nothing, Failure> {
        closed()
    }
}

struct Clock;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only read by serde and schemars")]
struct ClockConfig {
    /// How often.
    every: Duration,
    /// Records a second.
    #[schemars(range(min = 0.0))]
    rate: Option<f64>,
}

#[async_trait]
impl SourcePlugin for Clock {
    const NAME: &'static str = "clock";
    const ABOUT: &'static str = "the time";
    const EXAMPLE: &'static str = "type = \"clock\"\nevery = \"1s\"";
    type Config = ClockConfig;
    type Source = Nothing;

    async fn open(_: &ClockConfig, _: SourceContext) -> Result<Nothing, Failure> {
        closed()
    }
}

struct Set;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetConfig {
    /// The field to set.
    #[allow(dead_code, reason = "only read by serde and schemars")]
    field: FieldPath,
    /// Where its value comes from.
    from: Option<Reference>,
    /// Its value.
    value: Option<serde_json::Value>,
}

impl TransformPlugin for Set {
    const NAME: &'static str = "set";
    const ABOUT: &'static str = "sets a field";
    const EXAMPLE: &'static str = "type = \"set\"\nfield = \"$.a\"\nvalue = 1";
    const EXPLANATIONS: &'static [Explanation] = &[Explanation {
        code: "set.one-value",
        why: "A field has one value.",
        example: "from = \"$.a\"\nvalue = 1",
        fix: "value = 1",
    }];
    type Config = SetConfig;
    type Transform = Nothing;

    fn build(config: &SetConfig) -> Result<Nothing, Finding> {
        match (&config.from, &config.value) {
            (Some(_), Some(_)) => Err(Finding::error(
                "set.one-value",
                "/value",
                "`from` and `value` exclude each other",
            )
            .with_help("leave one of them")),
            (None, None) => Err(Finding::error(
                "set.one-value",
                "",
                "neither `from` nor `value` says what to set",
            )
            .with_help("add from = \"#timestamp\" or value = \"…\"")),
            _ => Ok(Nothing),
        }
    }
}
