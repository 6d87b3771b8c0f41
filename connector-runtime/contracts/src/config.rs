//! The `[key]`, `[value]` and `[registry]` tables.

mod format;

use connect_api::{Cause, Duration, FilePath, Finding, SchemaFile, Secret, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use format::Format;

/// What the bytes of a record's key or value are, and the contract that they must keep.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FormatConfig {
    /// What the bytes are.
    pub format: Format,
    /// The JSON Schema that every decoded value must be valid against.
    pub schema: Option<SchemaFile>,
    /// The contract is in the schema registry: each message names its schema by an id in its first five bytes.
    pub registry: Option<RegistrySubject>,
    /// Where messages are written: the file of the schema to write with, in the format's own language (an Avro schema, a
    /// JSON Schema for the registry, the `schema` of an envelope). Without it the registry's version is taken, and an
    /// envelope's schema follows from each value.
    pub write_schema: Option<FilePath>,
    /// What a record without a value (a tombstone) means.
    pub tombstone: TombstonePolicy,
}

/// Whether messages of a format are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Read,
    Write,
}

/// What a record without a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TombstonePolicy {
    /// A bad record.
    #[default]
    Reject,
    /// Delete what the key names.
    Delete,
    /// Skip it.
    Ignore,
}

/// Which schema of the registry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySubject {
    /// The subject. Default: what `subject_strategy` makes of topic and record.
    pub subject: Option<String>,
    /// How the subject follows from topic and record, where messages are written.
    pub subject_strategy: SubjectStrategy,
    /// The subject's version to write with (default: the latest). Where JSON is read, each value must also be valid against
    /// this version, beside the one that the message names; looked up once.
    pub version: Option<RegistryVersion>,
    /// Whether `write_schema` is registered under the subject. Otherwise the subject must have it.
    pub auto_register: bool,
}

/// How a subject follows from the topic and the full name of the record that the schema describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectStrategy {
    /// `<topic>-value`, or `<topic>-key` for a key.
    #[default]
    TopicName,
    /// `<record>`: one schema wherever the record is written.
    RecordName,
    /// `<topic>-<record>`: several kinds of record in one topic.
    TopicRecordName,
}

impl RegistrySubject {
    pub(crate) fn needs_record_name(&self) -> bool {
        self.subject.is_none() && self.subject_strategy != SubjectStrategy::TopicName
    }

    /// `record` is the name of the record, where [`RegistrySubject::needs_record_name`].
    pub(crate) fn subject_of(&self, side: Side, topic: &str, record: Option<&str>) -> String {
        match (&self.subject, self.subject_strategy, record) {
            (Some(_), _, _) | (None, SubjectStrategy::TopicName, _) => {
                topic_subject(side, &self.subject, topic)
            }
            (None, SubjectStrategy::RecordName, Some(record)) => record.to_owned(),
            (None, SubjectStrategy::TopicRecordName, Some(record)) => format!("{topic}-{record}"),
            (None, _, None) => {
                unreachable!("`check` demands a schema file where its name is needed")
            }
        }
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
                    // A placeholder is text, whatever it stands for.
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
        // `pattern` asks only strings and `minimum` only numbers, so that a mistake gets one clear error.
        schemars::json_schema!({
            "type": ["string", "integer"],
            "pattern": "^(latest|[1-9][0-9]*)$",
            "minimum": 1,
            "maximum": u32::MAX,
            "description": "`\"latest\"` or a version's number.",
        })
    }
}

/// The schema registry that all connectors of the process use (Confluent's API).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Where it is, for example `"https://registry.example.com"`. User and password have keys of their own.
    pub url: String,
    /// User of basic authentication.
    #[serde(default)]
    pub username: Option<String>,
    /// Password of basic authentication.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates (PEM) of the authorities to trust beside the machine's own.
    #[serde(default)]
    pub ca_file: Option<FilePath>,
    /// How long one answer may take.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

fn default_timeout() -> Duration {
    Duration::from_millis(10_000)
}

impl FormatConfig {
    /// What a connector without a `[key]` table has: keys are text.
    pub fn text() -> FormatConfig {
        FormatConfig {
            format: Format::named("string").expect("text is a format"),
            ..FormatConfig::default()
        }
    }

    /// What JSON Schema cannot say about the table. The findings' pointers start at the table itself.
    pub fn check(&self, usage: Usage) -> Vec<Finding> {
        let entry = self.format.entry();
        let name = entry.name;
        let mut findings = Vec::new();
        if entry.plain.is_none() && self.registry.is_none() {
            findings.push(
                Finding::error(
                    "contract.needs-registry",
                    "/format",
                    format!("the bytes of `{name}` are read with the schema that wrote them, and no registry is named"),
                )
                .with_help("add `registry = {}` here and `[registry] url = \"https://…\"` to connect.toml"),
            );
        }
        if self.registry.is_some() && entry.registered.is_none() {
            let others = Format::all().filter(|other| other.entry().registered.is_some());
            let others: Vec<String> = others
                .map(|other| format!("`format = \"{}\"`", other.name()))
                .collect();
            findings.push(
                Finding::error(
                    "contract.registry-unused",
                    "/registry",
                    format!("`{name}` has no schema in a registry"),
                )
                .with_help(format!(
                    "write {}, or leave out `registry`",
                    others.join(" or ")
                )),
            );
        }
        if self.schema.is_some() && !entry.has_fields {
            findings.push(
                Finding::error(
                    "contract.schema-unused",
                    "/schema",
                    format!("`{name}` has no fields that a JSON Schema could describe"),
                )
                .with_help("write `format = \"json\"`, or leave out `schema`"),
            );
        }
        match usage {
            Usage::Read => findings.extend(self.check_reading()),
            Usage::Write => findings.extend(self.check_writing()),
        }
        findings
    }

    fn check_reading(&self) -> Vec<Finding> {
        let registry = self.registry.clone().unwrap_or_default();
        let unused = |pointer: &'static str, key: &str| {
            Finding::error(
                "contract.write-only",
                pointer,
                format!("`{key}` says how messages are written, and here they are read"),
            )
            .with_help(format!("leave out `{key}`"))
        };
        let mut findings = Vec::new();
        if self.write_schema.is_some() {
            findings.push(unused("/write_schema", "write_schema"));
        }
        if registry.auto_register {
            findings.push(unused("/registry/auto_register", "auto_register"));
        }
        if registry.subject_strategy != SubjectStrategy::TopicName {
            findings.push(unused("/registry/subject_strategy", "subject_strategy"));
        }
        let validates = self
            .format
            .entry()
            .registered
            .as_ref()
            .is_none_or(|registered| registered.validates);
        if registry.version.is_some() && !validates {
            findings.push(
                Finding::error(
                    "contract.version-unused",
                    "/registry/version",
                    format!(
                        "`version` means nothing where `{}` is read: each message names its own schema",
                        self.format.name()
                    ),
                )
                .with_help("leave out `version`"),
            );
        }
        findings
    }

    fn check_writing(&self) -> Vec<Finding> {
        let entry = self.format.entry();
        let registry = self.registry.clone().unwrap_or_default();
        let has_file = self.write_schema.is_some();
        let takes_file = match (&self.registry, &entry.plain) {
            (Some(_), _) => entry.registered.is_some(),
            (None, plain) => plain.as_ref().is_some_and(|plain| plain.takes_write_schema),
        };
        let mut findings = Vec::new();
        if has_file && !takes_file {
            findings.push(
                Finding::error(
                    "contract.write-schema",
                    "/write_schema",
                    format!("`{}` is written without a schema", entry.name),
                )
                .with_help("leave out `write_schema`, or add `registry = {}` if the format has schemas there"),
            );
        }
        if registry.auto_register && !has_file {
            findings.push(
                Finding::error(
                    "contract.write-schema",
                    "/registry/auto_register",
                    "there is no schema to register",
                )
                .with_help("name its file: `write_schema = \"schemas/…\"`"),
            );
        }
        if registry.needs_record_name() && !has_file {
            findings.push(
                Finding::error(
                    "contract.write-schema",
                    "/registry/subject_strategy",
                    "the subject follows from the name of the record, which only a schema file says",
                )
                .with_help("name the file: `write_schema = \"schemas/…\"`, or name the `subject`"),
            );
        }
        if registry.version.is_some() && has_file {
            findings.push(
                Finding::error(
                    "contract.version-unused",
                    "/registry/version",
                    "`write_schema` is written with, so no version is chosen",
                )
                .with_help("leave out `version` or `write_schema`"),
            );
        }
        if findings.is_empty() {
            findings.extend(self.check_write_schema());
        }
        findings
    }

    /// Whether the file compiles. One that cannot be read here is somebody else's finding: CI may not have it.
    fn check_write_schema(&self) -> Option<Finding> {
        let text = self.write_schema_text().ok()??;
        let registry = self.registry.clone().unwrap_or_default();
        let name = self.write_schema_name();
        let compiled = match &self.registry {
            Some(_) => self.format.codec_of_file(&name, &text),
            None => self.format.plain_codec(Some(&text)),
        };
        let named = if registry.needs_record_name() {
            self.format.record_name(&text).map(drop)
        } else {
            Ok(())
        };
        let cause = compiled.map(drop).and(named).err()?;
        let finding = Finding::error("contract.write-schema", "/write_schema", cause.message);
        Some(match cause.help {
            Some(help) => finding.with_help(help),
            None => finding,
        })
    }

    /// The text of `write_schema`.
    pub(crate) fn write_schema_text(&self) -> Result<Option<String>, Cause> {
        let Some(file) = &self.write_schema else {
            return Ok(None);
        };
        std::fs::read_to_string(file.as_path())
            .map(Some)
            .map_err(|error| {
                Cause::new(format!(
                    "`write_schema` {} cannot be read: {error}",
                    file.as_path().display()
                ))
            })
    }

    /// How messages call the schema that is written with.
    pub(crate) fn write_schema_name(&self) -> String {
        let file = self.write_schema.as_ref();
        file.map(|file| file.as_path().display().to_string())
            .unwrap_or_default()
    }
}

impl RegistryConfig {
    /// What JSON Schema cannot say about the table. The findings' pointers start at the table itself.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        match reqwest::Url::parse(&self.url) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    "a registry is reached by http:// or https://",
                )
                .with_help("write `url = \"https://registry.example.com\"`"),
            ),
            // The address is shown in messages; a password in it would be shown too.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    "the address carries a user or a password",
                )
                .with_help("move them to `username` and `password = \"${env:REGISTRY_PASSWORD}\"`"),
            ),
            Ok(_) => {}
            Err(error) => findings.push(
                Finding::error(
                    "registry.url",
                    "/url",
                    format!("this is not an address: {error}"),
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
        findings
    }
}

/// The subject by Confluent's `TopicNameStrategy`, unless one is named.
pub(crate) fn topic_subject(side: Side, named: &Option<String>, topic: &str) -> String {
    match (named, side) {
        (Some(subject), _) => subject.clone(),
        (None, Side::Key) => format!("{topic}-key"),
        (None, Side::Value) => format!("{topic}-value"),
    }
}
