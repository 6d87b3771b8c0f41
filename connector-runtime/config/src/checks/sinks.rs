//! The number and the names of a connector's sinks.

use std::collections::BTreeMap;

use connect_api::Finding;
use serde_json::Value as Json;

use super::Checks;
use crate::codes;
use crate::resolve::{LONGEST_LANE_NAME, MOST_LANES};

impl Checks<'_> {
    /// The names differ, and all of them fit into the metadata of the group's offset.
    pub(super) fn sinks(&mut self) {
        let tables = self.root.get("sinks").and_then(Json::as_array);
        let tables = tables.map(Vec::as_slice).unwrap_or_default();
        if tables.len() > MOST_LANES {
            let message = format!("this connector has {} sinks", tables.len());
            self.file.add(
                codes::TOO_MANY_SINKS
                    .error(format!("/sinks/{MOST_LANES}"), message)
                    .with_label(format!("a connector has at most {MOST_LANES}"))
                    .with_help("write two connectors: another file with the same topics and some of the sinks"),
            );
        }
        let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, table) in tables.iter().enumerate() {
            let (pointer, name) = match (table.get("name"), table.get("type")) {
                (Some(name), _) => (format!("/sinks/{index}/name"), name.as_str()),
                (None, kind) => (format!("/sinks/{index}"), kind.and_then(Json::as_str)),
            };
            let Some(name) = name else {
                continue;
            };
            if name.len() > LONGEST_LANE_NAME {
                self.file.add(long_name(&pointer, name));
            }
            if let Some(first) = first_of.get(name) {
                self.file.add(repeated_name(&pointer, name, first + 1));
            } else {
                first_of.insert(name, index);
            }
        }
    }
}

fn long_name(pointer: &str, name: &str) -> Finding {
    let message = format!("the name of a sink has {} bytes", name.len());
    codes::LONG_SINK_NAME
        .error(pointer, message)
        .with_label(format!("at most {LONGEST_LANE_NAME} bytes"))
        .with_help("give it a shorter `name`")
}

fn repeated_name(pointer: &str, name: &str, first: usize) -> Finding {
    let message = format!("two sinks of this connector are named `{name}`");
    codes::SINK_NAME_TWICE
        .error(pointer, message)
        .with_label(format!("sink {first} of this file has the same name"))
        .with_help("a sink's name is part of its progress (default: its type): give one of them another `name`")
}
