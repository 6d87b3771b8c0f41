//! The formats of strings in configuration: those of the API, and those of this crate, such as the name of a connector.

use connect_api::topic::{check_topic_name, illegal_character};
use connect_api::{LEAF_FORMATS, Leaf, LeafFormat};
use serde_json::Value as Json;

use super::http::HttpAddress;

/// Every format, for the validator.
pub(super) fn all() -> impl Iterator<Item = LeafFormat> {
    let ours = [
        LeafFormat::of::<ConnectorName>(),
        LeafFormat::of::<HttpAddress>(),
        LeafFormat::of::<TopicName>(),
    ];
    LEAF_FORMATS.into_iter().chain(ours)
}

/// The format that a schema names.
pub(super) fn of(schema: &Json) -> Option<LeafFormat> {
    let name = schema.get("format")?.as_str()?;
    all().find(|format| format.name == name)
}

/// The format of a connector's name, and of a sink's.
pub(super) struct ConnectorName;

impl Leaf for ConnectorName {
    const FORMAT: &'static str = "connector-name";
    const ABOUT: &'static str = "A name of letters, digits, `.`, `_` and `-`.";
    const EXPECTED: &'static str = "a name of letters, digits, `.`, `_` and `-`";
    const STAND_IN: Option<&'static str> = Some("unknown");

    fn parse(text: &str) -> Result<ConnectorName, String> {
        check_connector_name(text).map(|()| ConnectorName)
    }
}

/// The format of a topic's name.
pub(super) struct TopicName;

impl Leaf for TopicName {
    const FORMAT: &'static str = "topic-name";
    const ABOUT: &'static str = "The name of a topic.";
    const EXPECTED: &'static str = "a topic's name";
    const STAND_IN: Option<&'static str> = Some("unknown");

    fn parse(text: &str) -> Result<TopicName, String> {
        check_topic_name(text).map(|()| TopicName)
    }
}

/// Transactional ids prefix the name with `connect-source-`.
const MAX_CONNECTOR_NAME: usize = 200;

pub(super) fn check_connector_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a connector's name must not be empty".to_owned());
    }
    if let Some(bad) = illegal_character(name) {
        return Err(format!(
            "{bad:?} is not allowed in a connector's name, which is part of the name of its consumer group: use letters, digits, `.`, `_` and `-`"
        ));
    }
    if name.len() > MAX_CONNECTOR_NAME {
        Err(format!(
            "a connector's name has at most {MAX_CONNECTOR_NAME} characters"
        ))
    } else {
        Ok(())
    }
}
