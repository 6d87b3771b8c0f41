//! Whether a file is a sink connector or a source connector.

use serde_json::Value as Json;

use crate::codes;
use crate::file::{ConfigFile, Syntax};
use crate::suggest::nearest;
use crate::tables::Direction;

const SINK_KEYS: [&str; 3] = ["sinks", "topics", "topics_regex"];
const SOURCE_KEY: &str = "source";

/// The direction of the connector; `None` if the file does not say, which is reported.
pub(crate) fn direction(root: &Json, file: &mut ConfigFile) -> Option<Direction> {
    let has = |key: &&str| root.get(key).is_some();
    match (has(&SOURCE_KEY), SINK_KEYS.iter().find(|key| has(key))) {
        (true, None) => Some(Direction::Source),
        (false, Some(_)) => Some(Direction::Sink),
        (true, Some(sink_key)) => {
            file.add_at_key(
                codes::TWO_KINDS
                    .error(
                        format!("/{sink_key}"),
                        "this file is a source connector and a sink connector",
                    )
                    .with_label("belongs to a sink connector, but the file also has [source]")
                    .with_help("write two files: one with [source] and `topic`, one with `topics` and [[sinks]]"),
            );
            None
        }
        (false, None) => {
            // The key that decides may be in the part that does not parse.
            if file.syntax == Syntax::Whole {
                no_kind(root, file);
            }
            None
        }
    }
}

/// Reports what is missing, and a misspelt key that may be it.
fn no_kind(root: &Json, file: &mut ConfigFile) {
    let message = "this file has neither a source nor a sink";
    let help =
        "a sink connector has `topics` and [[sinks]], a source connector has `topic` and [source]";
    let deciding = SINK_KEYS.into_iter().chain([SOURCE_KEY]);
    let mut keys = root.as_object().into_iter().flatten();
    let near = keys.find_map(|(key, _)| Some((key, nearest(key, deciding.clone())?)));
    if let Some((key, meant)) = near {
        let finding = codes::NO_KIND.error(format!("/{key}"), message);
        let finding = finding.with_label(format!("did you mean `{meant}`?"));
        file.add_at_key(finding.with_help(help));
    } else {
        let finding = codes::NO_KIND.error("", message);
        file.add(finding.with_label("not a connector yet").with_help(help));
    }
}
