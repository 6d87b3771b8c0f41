//! The `[registry]` table, and the `registry` of `[key]` and `[value]`.

use connect_api::{Duration, FilePath, Finding, Secret, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema registry that all connectors of the process use (Confluent's API).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Its URL, such as `"https://registry.example.com"`. User and password have keys of their own.
    pub url: String,
    /// User of basic authentication.
    #[serde(default)]
    pub username: Option<String>,
    /// Password of basic authentication.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates (PEM) of the authorities to trust in addition to the system's.
    #[serde(default)]
    pub ca_file: Option<FilePath>,
    /// How long one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

fn default_timeout() -> Duration {
    Duration::from_millis(10_000)
}

impl RegistryConfig {
    /// Checks what the JSON Schema cannot express. The pointers of the findings are relative to the table.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match reqwest::Url::parse(&self.url) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    "the URL of a registry begins with http:// or https://",
                )
                .with_help("write `url = \"https://registry.example.com\"`"),
            ),
            // Messages show the URL; a password in it would be shown too.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    "the URL contains a user or a password",
                )
                .with_help("move them to `username` and `password = \"${env:REGISTRY_PASSWORD}\"`"),
            ),
            Ok(_) => {}
            Err(error) => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    format!("this is not a URL: {error}"),
                )
                .with_help("write `url = \"https://registry.example.com\"`"),
            ),
        }
        if self.password.is_some() && self.username.is_none() {
            findings.push(
                Finding::error(
                    "registry.username",
                    "/password",
                    "a password without a user is never sent",
                )
                .with_help("add `username = \"…\"`"),
            );
        }
        if self.username.is_some() && self.is_unencrypted() {
            findings.push(
                Finding::error(
                    "registry.exposed",
                    "/url",
                    "user and password would be sent to another machine unencrypted",
                )
                .with_help("write `https://`, or remove `username` and `password`"),
            );
        }
        findings
    }

    /// Whether requests are sent to another machine without encryption.
    fn is_unencrypted(&self) -> bool {
        let Ok(url) = reqwest::Url::parse(&self.url) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<std::net::IpAddr>();
        let is_local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        url.scheme() == "http" && !is_local
    }
}

/// A schema of the registry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySubject {
    /// The subject. Default: derived from topic and record by `subject_strategy`.
    pub subject: Option<String>,
    /// For writing: how the subject is derived from topic and record.
    pub subject_strategy: SubjectStrategy,
    /// The subject's version to write with (default: the latest). When JSON is read, each value must be valid against this
    /// version, too, not only against the one that the message names. It is looked up once.
    pub version: Option<RegistryVersion>,
    /// Whether `write_schema` is registered under the subject. Otherwise the subject must have it already.
    pub auto_register: bool,
}

/// How a subject is derived from the topic and the full name of the record that the schema describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectStrategy {
    /// `<topic>-value`, or `<topic>-key` for a key.
    #[default]
    TopicName,
    /// `<record>`: one schema for all topics of the record.
    RecordName,
    /// `<topic>-<record>`: several kinds of record in one topic.
    TopicRecordName,
}

impl RegistrySubject {
    pub(crate) fn needs_record_name(&self) -> bool {
        self.subject.is_none() && self.subject_strategy != SubjectStrategy::TopicName
    }

    /// `record` is the name of the record, if [`RegistrySubject::needs_record_name`].
    pub(crate) fn subject_of(&self, side: Side, topic: &str, record: Option<&str>) -> String {
        match (&self.subject, self.subject_strategy, record) {
            (Some(_), _, _) | (None, SubjectStrategy::TopicName, _) => {
                topic_subject(side, &self.subject, topic)
            }
            (None, SubjectStrategy::RecordName, Some(record)) => record.to_owned(),
            (None, SubjectStrategy::TopicRecordName, Some(record)) => format!("{topic}-{record}"),
            (None, _, None) => {
                unreachable!("`check` requires a schema file if its name is needed")
            }
        }
    }
}

/// The named subject, or else that of Confluent's `TopicNameStrategy`.
pub(crate) fn topic_subject(side: Side, named: &Option<String>, topic: &str) -> String {
    match (named, side) {
        (Some(subject), _) => subject.clone(),
        (None, Side::Key) => format!("{topic}-key"),
        (None, Side::Value) => format!("{topic}-value"),
    }
}

/// A version of a subject: `"latest"` or its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistryVersion {
    Latest,
    Number(u32),
}

impl std::fmt::Display for RegistryVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RegistryVersion::Latest => formatter.write_str("latest"),
            RegistryVersion::Number(number) => write!(formatter, "{number}"),
        }
    }
}

impl<'de> Deserialize<'de> for RegistryVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = RegistryVersion;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("\"latest\" or a version's number from 1")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RegistryVersion, E> {
                match (text, text.parse()) {
                    ("latest", _) => Ok(RegistryVersion::Latest),
                    // The value of a placeholder is always text.
                    (_, Ok(number)) => self.visit_u64(number),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<RegistryVersion, E> {
                match u32::try_from(number) {
                    Ok(number) if number > 0 => Ok(RegistryVersion::Number(number)),
                    _ => Err(E::invalid_value(
                        serde::de::Unexpected::Unsigned(number),
                        &self,
                    )),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<RegistryVersion, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(
                        serde::de::Unexpected::Signed(number),
                        &self,
                    )),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for RegistryVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RegistryVersion".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // `pattern` applies only to strings and `minimum` only to numbers, so that a mistake gets one clear error.
        schemars::json_schema!({
            "type": ["string", "integer"],
            "pattern": "^(latest|[1-9][0-9]*)$",
            "minimum": 1,
            "maximum": u32::MAX,
            "description": "`\"latest\"` or a version's number.",
        })
    }
}
