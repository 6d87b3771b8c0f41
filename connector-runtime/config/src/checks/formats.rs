//! The formats of keys and values: what they need, and sinks that ignore them.

use connect_contracts::{FormatConfig, Usage};
use serde_json::Value as Json;

use super::Checks;
use crate::codes;
use crate::file::ConfigFile;
use crate::tables::Direction;

/// The keys of a sink's table that say what its messages are.
const SINK_FORMATS: [&str; 2] = ["key_format", "value_format"];

impl Checks<'_> {
    pub(super) fn formats(&mut self) {
        match self.direction {
            Direction::Source => {
                self.format("/value", Usage::Write);
                self.format("/key_format", Usage::Write);
            }
            Direction::Sink => {
                self.format("/value", Usage::Read);
                self.format("/key", Usage::Read);
                let sinks = self.root.get("sinks").and_then(Json::as_array);
                for index in 0..sinks.map_or(0, Vec::len) {
                    for key in SINK_FORMATS {
                        self.format(&format!("/sinks/{index}/{key}"), Usage::Write);
                    }
                }
            }
        }
    }

    fn format(&mut self, pointer: &str, usage: Usage) {
        let Some(table) = self.root.pointer(pointer) else {
            return;
        };
        let Some(format) = self.typed::<FormatConfig>(pointer, table) else {
            return;
        };
        self.file.add_all(pointer, format.check(usage));
        if format.registry.is_some() && !self.loading.has_registry {
            self.file.add_at_key(
                codes::NO_REGISTRY
                    .error(
                        format!("{pointer}/registry"),
                        "no schema registry is configured",
                    )
                    .with_label("needs the registry")
                    .with_help("add `[registry] url = \"https://…\"` to connect.toml"),
            );
        }
    }
}

/// Refuses formats for a sink that writes no messages and would ignore them.
pub(crate) fn unused_formats(sink: &str, root: &Json, table: &str, file: &mut ConfigFile) {
    for key in SINK_FORMATS {
        let pointer = format!("{table}/{key}");
        if root.pointer(&pointer).is_none() {
            continue;
        }
        let message = format!("the {sink} sink writes no messages, so `{key}` has no effect");
        file.add_at_key(
            codes::FORMAT_UNUSED
                .error(pointer, message)
                .with_label("not a key of this sink")
                .with_help(format!("remove `{key}`")),
        );
    }
}
