//! Leaves that only the engine has, with their formats: names of connectors and topics, listening addresses.

use connect_api::leaf::LeafCheck;
use connect_api::topic::{check_topic_name, illegal_character};
use serde::Deserialize;

use super::http::HttpAddress;

/// The engine's own leaf formats, for the validator.
pub(super) const FORMATS: [(&str, LeafCheck); 3] = [
    ("connector-name", check_connector_name),
    ("topic-name", check_topic_name),
    ("listen-address", |text| parse_address(text).map(drop)),
];

/// `connect-source-` stands before it in transactional ids.
const MAX_CONNECTOR_NAME: usize = 200;

pub(super) fn check_connector_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a connector's name is not empty".to_owned());
    }
    if let Some(bad) = illegal_character(name) {
        return Err(format!(
            "{bad:?} cannot stand in a connector's name, which names its consumer group: letters, digits, `.`, `_` and `-` can"
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

fn parse_address(text: &str) -> Result<HttpAddress, String> {
    match text {
        "off" => Ok(HttpAddress::Off),
        _ => text.parse().map(HttpAddress::At).map_err(|_| {
            format!("`{text}` is not an address with its port such as \"127.0.0.1:8083\" or \"[::1]:8083\", and not \"off\"")
        }),
    }
}

impl std::str::FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<HttpAddress, String> {
        parse_address(text)
    }
}

impl<'de> Deserialize<'de> for HttpAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_address(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
