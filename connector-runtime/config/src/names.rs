//! Leaves that only the engine has, with their formats: names of connectors and topics, `start`, listening addresses.

use connect_api::leaf::LeafCheck;
use connect_api::topic::{check_topic_name, illegal_character};
use serde::Deserialize;

use super::http::HttpAddress;
use super::resolve::Start;

pub(super) const START_FORMAT: &str = "timestamp-or-word";

/// The engine's own leaf formats, for the validator.
pub(super) const FORMATS: [(&str, LeafCheck); 4] = [
    ("connector-name", check_connector_name),
    ("topic-name", check_topic_name),
    (START_FORMAT, |text| parse_start(text).map(drop)),
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

fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        "group" => Ok(Start::Group),
        time => match time.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Start::At(time.as_millisecond())),
            Err(_) => Err(format!(
                "`{text}` is neither earliest, latest, group nor a time with its offset such as 2026-11-20T00:00:00Z"
            )),
        },
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_start(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_is_a_word_or_a_time() {
        let cases = [
            ("earliest", Ok(Start::Earliest)),
            ("group", Ok(Start::Group)),
            ("2026-11-20T00:00:00Z", Ok(Start::At(1_795_132_800_000))),
            (
                "2026-11-20T01:00:00+01:00",
                Ok(Start::At(1_795_132_800_000)),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_start(text), expected, "{text}");
        }
        for text in ["Earliest", "2026-11-20", "2026-11-20T00:00:00", ""] {
            assert!(parse_start(text).is_err(), "{text}");
        }
    }
}
