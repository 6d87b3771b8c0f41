//! Configuration of the sink and its checks.

use std::collections::{BTreeMap, BTreeSet};

use connect_api::topic::check_topic_name;
use connect_api::{Explanation, Finding, Reference, SchemaFile, pointer};
use schemars::JsonSchema;
use serde::Deserialize;

/// Publishes records to a topic. Headers and timestamps are kept; a tombstone stays a tombstone. Headers that begin with
/// `__connect.errors.` are left out, also where dead letters are read: they say why another record was rejected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The topic of every record. Either this or `topic_from`.
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// The topic of each record follows from its content.
    #[serde(default)]
    pub(crate) topic_from: Option<TopicFrom>,
    /// The source of the key: `#key` (the key after the transforms), a path into the value or other metadata. Text is
    /// written as it is, everything else as JSON. Default: the bytes of the original key, whatever the transforms
    /// did.
    #[serde(default)]
    pub(crate) key: Option<Reference>,
    /// The contract of the topic. Records that break it are rejected.
    #[serde(default)]
    pub(crate) schema: Option<SchemaFile>,
}

/// A topic chosen by content, among the topics that this table lists.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicFrom {
    /// The source of the word that chooses the topic: a path or metadata, such as `$.country` or `#header.target`.
    pub(crate) field: Reference,
    /// Topics that a record may name directly. A record with any other word is rejected, unless `map` or `default`
    /// has a topic for it.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    /// Topics by word, such as { de = "orders-germany" }.
    #[serde(default)]
    pub(crate) map: BTreeMap<String, String>,
    /// The topic of records with another word or none. Default: such records are rejected.
    #[serde(default)]
    pub(crate) default: Option<String>,
}

impl TopicFrom {
    /// The topic for this word, or for its absence.
    pub(crate) fn choose(&self, word: Option<&str>) -> Option<&str> {
        let of_word = |word| {
            let named = || self.allow.iter().find(|topic| *topic == word);
            self.map.get(word).or_else(named)
        };
        word.and_then(of_word)
            .or(self.default.as_ref())
            .map(String::as_str)
    }

    /// Every topic with its JSON pointer in the table.
    fn topics(&self) -> impl Iterator<Item = (String, &str)> {
        let allowed = self.allow.iter().enumerate();
        let allowed = allowed.map(|(index, topic)| (format!("/allow/{index}"), topic.as_str()));
        let mapped = self.map.iter();
        let mapped = mapped.map(|(word, topic)| (pointer::member("/map", word), topic.as_str()));
        let default = self
            .default
            .iter()
            .map(|topic| ("/default".to_owned(), topic.as_str()));
        allowed.chain(mapped).chain(default)
    }
}

pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: "kafka.topic",
        why: "Every record needs one valid topic: a name has 1 to 249 of the characters a-z A-Z 0-9 . _ -",
        example: "[[sinks]]\ntype = \"kafka\"\ntopic = \"new users\"",
        fix: "[[sinks]]\ntype = \"kafka\"\ntopic = \"new_users\"",
    },
    Explanation {
        code: "kafka.reference",
        why: "`@…` and `#index` start at the element of a table's `each`; a message is made from a whole record.",
        example: "key = \"@.sku\"",
        fix: "key = \"$.transaction_id\"",
    },
];

impl Config {
    /// Every topic that this sink can write to.
    pub(crate) fn topics(&self) -> Vec<String> {
        match (&self.topic, &self.topic_from) {
            (Some(topic), _) => vec![topic.clone()],
            (None, Some(from)) => {
                let topics: BTreeSet<&str> = from.topics().map(|(_, topic)| topic).collect();
                topics.into_iter().map(str::to_owned).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.topic.is_some() == self.topic_from.is_some() {
            let message = "the sink needs either `topic` or `topic_from`";
            findings.push(Finding::error("kafka.topic", "", message).with_help(
                "write topic = \"…\", or topic_from = { field = \"$.…\", map = { word = \"topic\" } }",
            ));
        }
        if let Some(topic) = &self.topic {
            findings.extend(check_topic("/topic", topic));
        }
        for (pointer, topic) in self.topic_from.iter().flat_map(TopicFrom::topics) {
            findings.extend(check_topic(&format!("/topic_from{pointer}"), topic));
        }
        let lists_none = |from: &TopicFrom| from.topics().next().is_none();
        if self.topic_from.as_ref().is_some_and(lists_none) {
            let message = "`topic_from` lists no topic";
            findings.push(Finding::error("kafka.topic", "/topic_from", message).with_help(
                "records can only choose topics that the file lists: list them in `map` or `allow`, or write a `default`",
            ));
        }
        let field = self.topic_from.as_ref().map(|from| &from.field);
        for (pointer, reference) in [("/topic_from/field", field), ("/key", self.key.as_ref())] {
            if let Some(reference) = reference.filter(|reference| reference.needs_element()) {
                findings.push(Finding::error(
                    "kafka.reference",
                    pointer,
                    format!(
                        "`{reference}` refers to an element of `each`; this sink has no `each`"
                    ),
                ));
            }
        }
        findings
    }
}

fn check_topic(pointer: &str, topic: &str) -> Option<Finding> {
    check_topic_name(topic)
        .err()
        .map(|reason| Finding::error("kafka.topic", pointer, reason))
}
