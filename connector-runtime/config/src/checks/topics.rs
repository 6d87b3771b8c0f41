//! The topics that a connector reads: they are named in one way, and the connector does not write to them.

use connect_api::Pattern;
use serde_json::Value as Json;

use super::Checks;
use crate::codes;
use crate::file::ConfigFile;
use crate::resolve::Topics;
use crate::schema;
use crate::suggest::nearest;

impl Checks<'_> {
    pub(super) fn topics(&mut self, schema: &Json) {
        match (self.has("/topics"), self.has("/topics_regex")) {
            (true, true) => self.file.add_at_key(
                codes::TOPICS_TWICE
                    .error(
                        "/topics_regex",
                        "`topics` and `topics_regex` exclude each other",
                    )
                    .with_label("the file also has `topics`")
                    .with_help("keep one of them"),
            ),
            (false, false) if !self.are_topics_misspelt(schema) => self.file.add_at_key(
                codes::NO_TOPICS
                    .error("/sinks", "no topics to read are configured")
                    .with_label("a sink connector reads topics")
                    .with_help(
                        "add topics = [\"…\"] or topics_regex = \"…\" above the first table",
                    ),
            ),
            (false, true) if self.has("/create_topics") => self.file.add_at_key(
                codes::CREATE_BY_REGEX
                    .error(
                        "/create_topics",
                        "a regular expression does not name topics that could be created",
                    )
                    .with_label("the file also has `topics_regex`")
                    .with_help("name the topics with `topics`, or leave out [create_topics]"),
            ),
            _ => {}
        }
    }

    /// Whether an unknown key was probably meant to be `topics`: validation reports it as such.
    fn are_topics_misspelt(&self, schema: &Json) -> bool {
        let known = schema::keys(schema);
        let mut keys = self.root.as_object().into_iter().flatten();
        keys.any(|(key, _)| {
            !known.contains(key) && nearest(key, &["topics", "topics_regex"]).is_some()
        })
    }
}

/// The topics that the connector reads, if the file says so.
pub(super) fn topics(root: &Json) -> Option<Topics> {
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
pub(crate) fn target_topics(targets: &[String], root: &Json, sink: &str, file: &mut ConfigFile) {
    let Some(topics) = topics(root) else {
        return;
    };
    for target in targets.iter().filter(|target| topics.contains(target)) {
        let message = format!("`{target}`: the connector would read what it writes");
        let finding = codes::LOOP
            .error(pointer_of(target, sink, file), message)
            .with_label("the connector reads this topic")
            .with_help("write to another topic, or exclude this one from the topics that are read");
        file.add(finding);
    }
}

/// The pointer of the topic's name, whichever key of the plugin has it.
fn pointer_of(topic: &str, sink: &str, file: &ConfigFile) -> String {
    let quoted = format!("\"{topic}\"");
    let mut values = file.spans.values().map(|(pointer, _)| pointer);
    let found = values.find(|pointer| pointer.starts_with(sink) && file.written(pointer) == quoted);
    found.unwrap_or(sink).to_owned()
}
