//! What no schema says: keys that exclude or need each other, and connectors that would read what they write.
//!
//! These checks read the file's JSON and not the typed configuration, so that they speak up beside other problems.

mod errors;

use std::collections::BTreeMap;

use connect_api::Pattern;
use connect_contracts::{FormatConfig, Usage};
use serde_json::Value as Json;

use super::code;
use super::formats::check_connector_name;
use super::loading::Loading;
use super::parse::Syntax;
use super::places::Places;
use super::report::{Draft, Report};
use super::resolve::{BatchConfig, LONGEST_LANE_NAME, MOST_LANES, Topics};
use super::suggest::nearest;
use super::written::Direction;

/// Which kind of connector this file is; `None` if that cannot be told.
pub(super) fn direction(
    root: &Json,
    places: &Places,
    syntax: Syntax,
    report: &mut Report,
) -> Option<Direction> {
    let has = |key: &str| root.get(key).is_some();
    let first_line = 0..report.text.lines().next().map_or(0, str::len);
    match (
        has("source"),
        has("sinks") || has("topics") || has("topics_regex"),
    ) {
        (true, false) => Some(Direction::Source),
        (false, true) => Some(Direction::Sink),
        (true, true) => {
            let sink_key = ["sinks", "topics", "topics_regex"]
                .into_iter()
                .find(|key| has(key));
            let pointer = format!("/{}", sink_key.unwrap_or_default());
            report.add(
                Draft::error(
                    code::TWO_KINDS,
                    places.key(&pointer),
                    "this file is a source connector and a sink connector",
                )
                .label("belongs to a sink connector, and [source] stands here too")
                .help("write two files: one with [source] and `topic`, one with `topics` and [[sinks]]")
                .at(pointer),
            );
            None
        }
        // What decides may be in the part that does not parse.
        (false, false) if syntax != Syntax::Whole => None,
        (false, false) => {
            report.add(no_kind(root, places, first_line));
            None
        }
    }
}

/// Says what is missing, and what a near miss was probably meant to be.
fn no_kind(root: &Json, places: &Places, first_line: std::ops::Range<usize>) -> Draft {
    let message = "this file has neither a source nor a sink";
    let keys: Vec<&String> = root
        .as_object()
        .into_iter()
        .flat_map(|keys| keys.keys())
        .collect();
    let deciding = ["source", "sinks", "topics", "topics_regex"];
    let near = keys
        .iter()
        .find_map(|key| nearest(key, &deciding).map(|meant| ((*key).clone(), meant.to_owned())));
    match near {
        Some((key, meant)) => {
            let pointer = format!("/{key}");
            Draft::error(code::NO_KIND, places.key(&pointer), message)
                .label(format!("did you mean `{meant}`?"))
                .at(pointer)
        }
        None => Draft::error(code::NO_KIND, first_line, message).label("not a connector yet"),
    }
    .help(
        "a sink connector has `topics` and [[sinks]], a source connector has `topic` and [source]",
    )
}

/// Every check of one connector.
pub(super) fn connector(
    root: &Json,
    direction: Direction,
    name: &str,
    loading: &Loading<'_>,
    places: &Places,
    report: &mut Report,
) {
    let mut checks = Checks {
        root,
        places,
        report,
    };
    checks.name(name);
    if direction == Direction::Sink {
        checks.topics();
        checks.sinks();
        checks.batch(loading);
    }
    checks.errors(loading, direction);
    match direction {
        Direction::Sink => {
            checks.format("/value", Usage::Read, loading);
            checks.format("/key", Usage::Read, loading);
            checks.sink_formats(loading);
        }
        Direction::Source => {
            checks.format("/value", Usage::Write, loading);
            checks.format("/key_format", Usage::Write, loading);
        }
    }
}

/// The keys of a sink's table that say what its messages are.
const SINK_FORMATS: [&str; 2] = ["key_format", "value_format"];

/// A sink that writes no messages would ignore their format.
pub(super) fn unused_formats(
    sink: &str,
    root: &Json,
    pointer: &str,
    places: &Places,
    report: &mut Report,
) {
    for key in SINK_FORMATS {
        let pointer = format!("{pointer}/{key}");
        if root.pointer(&pointer).is_none() {
            continue;
        }
        let message = format!("the sink {sink} writes no messages, so `{key}` says nothing");
        report.add(
            Draft::error(code::FORMAT_UNUSED, places.key(&pointer), message)
                .label("not a key of this sink")
                .help(format!("leave out `{key}`"))
                .at(pointer),
        );
    }
}

struct Checks<'a> {
    root: &'a Json,
    places: &'a Places,
    report: &'a mut Report,
}

impl Checks<'_> {
    fn has(&self, pointer: &str) -> bool {
        self.root.pointer(pointer).is_some()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.root.pointer(pointer)?.as_str()
    }

    fn draft(
        &self,
        code: &'static connect_api::Explanation,
        pointer: &str,
        message: impl Into<String>,
    ) -> Draft {
        Draft::error(code, self.places.key(pointer), message).at(pointer)
    }

    /// A written name is checked by its format; the file's name is not.
    fn name(&mut self, name: &str) {
        if self.has("/name") {
            return;
        }
        if let Err(reason) = check_connector_name(name) {
            self.report.add(
                Draft::error(
                    code::BAD_NAME,
                    0..0,
                    format!("the file's name cannot be the connector's: {reason}"),
                )
                .help("rename the file, or write name = \"…\" in it"),
            );
        }
    }

    fn topics(&mut self) {
        match (self.has("/topics"), self.has("/topics_regex")) {
            (true, true) => {
                let draft = self
                    .draft(
                        code::TOPICS_TWICE,
                        "/topics_regex",
                        "`topics` and `topics_regex` exclude each other",
                    )
                    .label("`topics` stands here too")
                    .help("leave one of them");
                self.report.add(draft);
            }
            (false, false) if !self.misspelt_topics() => {
                let draft = self
                    .draft(
                        code::NO_TOPICS,
                        "/sinks",
                        "nothing says which topics to read",
                    )
                    .label("a sink needs topics")
                    .help("add topics = [\"…\"] or topics_regex = \"…\" above the first table");
                self.report.add(draft);
            }
            (false, true) if self.has("/create_topics") => {
                let draft = self
                    .draft(
                        code::CREATE_BY_REGEX,
                        "/create_topics",
                        "a regular expression names no topic that could be created",
                    )
                    .label("`topics_regex` stands here too")
                    .help("name the topics with `topics`, or leave out [create_topics]");
                self.report.add(draft);
            }
            _ => {}
        }
    }

    /// Another key was probably meant to be `topics`, and is reported as such.
    fn misspelt_topics(&self) -> bool {
        let known = [
            "name",
            "tasks",
            "start",
            "key",
            "value",
            "transforms",
            "sinks",
            "batch",
            "errors",
        ];
        let keys = self
            .root
            .as_object()
            .into_iter()
            .flat_map(|keys| keys.keys());
        keys.filter(|key| !known.contains(&key.as_str()))
            .any(|key| nearest(key, &["topics", "topics_regex"]).is_some())
    }

    /// Each sink has a name of its own, and the names fit beside an offset of the group.
    fn sinks(&mut self) {
        let tables = self.root.get("sinks").and_then(Json::as_array);
        let tables: Vec<&Json> = tables.into_iter().flatten().collect();
        let name_of = |table: &Json| {
            let name = table.get("name").or_else(|| table.get("type"));
            name.and_then(Json::as_str).map(str::to_owned)
        };
        let names: Vec<Option<String>> = tables.into_iter().map(name_of).collect();
        if names.len() > MOST_LANES {
            let pointer = format!("/sinks/{MOST_LANES}");
            let message = format!("this connector has {} sinks", names.len());
            let draft = Draft::error(code::TOO_MANY_SINKS, self.places.value(&pointer), message)
                .label(format!("a connector has at most {MOST_LANES}"))
                .help(
                    "write two connectors: another file with the same topics and some of the sinks",
                )
                .at(pointer);
            self.report.add(draft);
        }
        let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            let Some(name) = name.as_deref() else {
                continue;
            };
            let pointer = if self.has(&format!("/sinks/{index}/name")) {
                format!("/sinks/{index}/name")
            } else {
                format!("/sinks/{index}")
            };
            if name.len() > LONGEST_LANE_NAME {
                let message = format!("the name of a sink has {} bytes", name.len());
                let draft =
                    Draft::error(code::LONG_SINK_NAME, self.places.value(&pointer), message)
                        .label(format!("at most {LONGEST_LANE_NAME} bytes"))
                        .help("give it a shorter `name`")
                        .at(pointer.clone());
                self.report.add(draft);
            }
            let Some(first) = first_of.get(name) else {
                first_of.insert(name, index);
                continue;
            };
            let message = format!("two sinks of this connector are named `{name}`");
            let draft = Draft::error(code::SINK_NAME_TWICE, self.places.value(&pointer), message)
                .label(format!("sink {} of this file has it too", first + 1))
                .help("a sink's name is part of its progress (default: its type): give one of them another `name`")
                .at(pointer);
            self.report.add(draft);
        }
    }

    fn sink_formats(&mut self, loading: &Loading<'_>) {
        let sinks = self.root.get("sinks").and_then(Json::as_array);
        for index in 0..sinks.map_or(0, Vec::len) {
            for key in SINK_FORMATS {
                let pointer = format!("/sinks/{index}/{key}");
                if self.root.pointer(&pointer).is_some() {
                    self.format(&pointer, Usage::Write, loading);
                }
            }
        }
    }

    fn batch(&mut self, loading: &Loading<'_>) {
        for key in ["max_bytes", "in_flight"] {
            let pointer = format!("/batch/{key}");
            let zero = self
                .text(&pointer)
                .and_then(|text| connect_api::Size::parse(text).ok())
                .is_some_and(|size| size.bytes() == 0);
            if zero {
                let draft = Draft::error(
                    code::OUT_OF_RANGE,
                    self.places.value(&pointer),
                    format!("`batch.{key}` is zero: nothing could be read"),
                )
                .label("expected a size such as \"4MiB\"")
                .at(pointer);
                self.report.add(draft);
                return;
            }
        }
        let Some(batch) = self.parsed::<super::written::BatchTable>("/batch") else {
            return;
        };
        let batch = batch.or(&loading.defaults.batch);
        if !batch.fits_in_flight() {
            let written = ["/batch/max_bytes", "/batch/in_flight", "/batch"];
            let pointer = written
                .into_iter()
                .find(|pointer| self.has(pointer))
                .unwrap_or_default();
            let draft = Draft::error(
                code::BATCH_MEMORY,
                self.places.value(pointer),
                format!(
                    "batches of {} do not fit into {} in flight",
                    batch.max_bytes, batch.in_flight
                ),
            )
            .label("`max_bytes` may be a sixth of `in_flight`")
            .help(format!(
                "write in_flight = \"{}\", or smaller batches",
                connect_api::Size::from_bytes(
                    batch
                        .max_bytes
                        .bytes()
                        .saturating_mul(BatchConfig::LARGEST_BATCHES_IN_FLIGHT)
                )
            ))
            .at(pointer);
            self.report.add(draft);
        }
    }

    /// The table as its type, if it is there and has no errors so far; an absent table has its defaults.
    fn parsed<T: serde::de::DeserializeOwned + Default>(&self, pointer: &str) -> Option<T> {
        if self.report.has_errors_in(pointer) {
            return None;
        }
        match self.root.pointer(pointer) {
            None => Some(T::default()),
            Some(table) => serde_json::from_value(table.clone()).ok(),
        }
    }

    fn report_all(&mut self, drafts: impl IntoIterator<Item = Draft>) {
        for draft in drafts {
            self.report.add(draft);
        }
    }

    fn format(&mut self, pointer: &str, usage: Usage, loading: &Loading<'_>) {
        let Some(format) = self.parsed::<FormatConfig>(pointer) else {
            return;
        };
        for finding in format.check(usage) {
            let draft = Draft::of_finding(pointer, finding, self.places);
            self.report.add(draft);
        }
        if format.registry.is_some() && !loading.has_registry {
            let pointer = format!("{pointer}/registry");
            let draft = self
                .draft(
                    code::NO_REGISTRY,
                    &pointer,
                    "no schema registry is configured",
                )
                .label("asks the registry")
                .help("add `[registry] url = \"https://…\"` to connect.toml");
            self.report.add(draft);
        }
    }
}

/// What the connector reads, if that can be told.
fn topics(root: &Json) -> Option<Topics> {
    match (root.get("topics"), root.get("topics_regex")) {
        (Some(Json::Array(names)), _) => {
            let names = names.iter().filter_map(Json::as_str).map(str::to_owned);
            Some(Topics::Named(names.collect()))
        }
        (None, Some(Json::String(pattern))) => Pattern::parse(pattern).ok().map(Topics::Pattern),
        _ => None,
    }
}

/// Refuses a sink that writes to a topic that its connector reads.
pub(super) fn target_topics(
    targets: &[String],
    root: &Json,
    sink: &str,
    places: &Places,
    report: &mut Report,
) {
    let Some(topics) = topics(root) else {
        return;
    };
    for target in targets.iter().filter(|target| topics.contains(target)) {
        // The place of the name itself, wherever the plugin's keys have it.
        let table = places.below(sink, &report.text, &format!("\"{target}\""));
        report.add(
            Draft::error(
                code::LOOP,
                table,
                format!("`{target}`: the connector would read what it writes"),
            )
            .label("this topic is read here too")
            .help("write to another topic, or leave this one out of what is read")
            .at(sink),
        );
    }
}
