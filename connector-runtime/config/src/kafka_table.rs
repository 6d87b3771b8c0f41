//! The schema of `[kafka]`: every setting that is allowed, and the meaning of those that most clusters need.
//!
//! It is for editors and `connect plugins connect.toml`. Validation ([`super::kafka`]) uses librdkafka.

use connect_kafka::allowed_settings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json, json};

/// The address of the cluster if neither `connect.toml` nor the variable sets it.
pub(super) const DEFAULT_SERVERS: &str = "localhost:9092";
/// The environment variable with the address of the cluster.
pub(super) const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";

const ABOUT: &str = "The connection to the cluster: settings of librdkafka by their names, such as \"security.protocol\".\n\
                     Those that the engine sets (group, offsets, acknowledgements, prefetching) are refused.";

/// The meaning of the most common settings; CONFIGURATION.md of librdkafka describes the others.
const MEANINGS: &[(&str, &str)] = &[
    (
        "client.rack",
        "The rack or zone of this machine, so that the nearest replicas are read.",
    ),
    (
        "sasl.mechanism",
        "How to authenticate: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
    ),
    (
        "sasl.password",
        "A secret: \"${env:NAME}\" or \"${file:/path}\".",
    ),
    ("sasl.username", "The user that authenticates."),
    (
        "security.protocol",
        "PLAINTEXT (the default), SSL, SASL_PLAINTEXT or SASL_SSL.",
    ),
    (
        "ssl.ca.location",
        "A PEM file with the authorities that sign the brokers' certificates. Default: those of the machine.",
    ),
    (
        "ssl.certificate.location",
        "A PEM file with the certificate of this client and its chain, if brokers require one.",
    ),
    (
        "ssl.key.location",
        "A PEM file with the key of that certificate.",
    ),
    (
        "ssl.key.password",
        "The password of the key, a secret: \"${env:NAME}\" or \"${file:/path}\".",
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
    let servers = || {
        format!(
            "Brokers of the first connection: host:port, separated by commas.\n\
             Default: the environment variable {SERVERS_VARIABLE}, else {DEFAULT_SERVERS}."
        )
    };
    let known = MEANINGS.iter().find(|(known, _)| *known == name);
    let meaning = known.map(|(_, meaning)| (*meaning).to_owned());
    match meaning.or_else(|| (name == "bootstrap_servers").then(servers)) {
        Some(meaning) => json!({ "description": meaning, "type": types }),
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
