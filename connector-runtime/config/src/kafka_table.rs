//! The schema of `[kafka]`: every setting that is passed on, and what those mean that most clusters need.
//!
//! Validation ([`super::kafka`]) asks librdkafka; this is for editors and `connect plugins connect.toml`.

use connect_kafka::allowed_settings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json, json};

const ABOUT: &str = "How to reach the cluster: settings of librdkafka by their names, such as \"security.protocol\".\n\
                     Those that the engine owns (group, offsets, acknowledgements, what is read ahead) are refused.";

/// What is said of the settings that people write; of the others librdkafka's CONFIGURATION.md.
const MEANINGS: &[(&str, &str)] = &[
    (
        "bootstrap_servers",
        "Brokers to ask first: host:port, separated by commas.\n\
         Default: the environment variable KAFKA_BOOTSTRAP_SERVERS, else localhost:9092.",
    ),
    (
        "client.rack",
        "The rack or zone of this machine: replicas that are near are read.",
    ),
    (
        "sasl.mechanism",
        "How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
    ),
    (
        "sasl.password",
        "A secret: \"${env:NAME}\" or \"${file:/path}\".",
    ),
    ("sasl.username", "Who logs in."),
    (
        "security.protocol",
        "PLAINTEXT (the default), SSL, SASL_PLAINTEXT or SASL_SSL.",
    ),
    (
        "ssl.ca.location",
        "A PEM file with the authorities that sign the brokers' certificates. Default: the machine's own.",
    ),
    (
        "ssl.certificate.location",
        "A PEM file with our certificate and its chain, where brokers want one.",
    ),
    (
        "ssl.key.location",
        "A PEM file with the key of our certificate.",
    ),
    (
        "ssl.key.password",
        "What the key is encrypted with, a secret: \"${env:NAME}\" or \"${file:/path}\".",
    ),
];

pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    let properties: Map<String, Json> = allowed_settings()
        .map(|name| (name.to_owned(), setting(name)))
        .collect();
    json_schema!({
        "description": ABOUT,
        "type": "object",
        "properties": properties,
        // `sasl.username = "…"` without quotes is a table for TOML.
        "additionalProperties": true,
    })
}

fn setting(name: &str) -> Json {
    let types = ["string", "number", "boolean"];
    match MEANINGS.iter().find(|(known, _)| *known == name) {
        Some((_, meaning)) => json!({ "description": meaning, "type": types }),
        None => json!({ "type": types }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_explained_is_a_setting() {
        for (name, _) in MEANINGS {
            assert!(allowed_settings().any(|known| known == *name), "{name}");
        }
    }
}
