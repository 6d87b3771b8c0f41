//! Checks of the `[key]` and `[value]` tables that their JSON Schema cannot express.

use connect_api::Finding;

use super::{Format, FormatConfig, SubjectStrategy, Usage};

impl FormatConfig {
    /// Checks what the JSON Schema cannot express. The pointers of the findings are relative to the table.
    pub fn check(&self, usage: Usage) -> Vec<Finding> {
        let entry = self.format.entry();
        let name = entry.name;
        let mut findings = Vec::new();
        if entry.plain.is_none() && self.registry.is_none() {
            findings.push(
                Finding::error(
                    "contract.needs-registry",
                    "/format",
                    format!("`{name}` can only be read with the schema that wrote it, and `registry` is missing"),
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
                    format!("schemas of `{name}` are not in a registry"),
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
                    format!("`{name}` has no fields, so a JSON Schema has no effect"),
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
                format!("`{key}` is for writing, and here messages are read"),
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
                        "`version` has no effect when `{}` is read: each message names its own schema",
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
                    "the subject is derived from the name of the record, which only a schema file contains",
                )
                .with_help("name the file: `write_schema = \"schemas/…\"`, or name the `subject`"),
            );
        }
        if registry.version.is_some() && has_file {
            findings.push(
                Finding::error(
                    "contract.version-unused",
                    "/registry/version",
                    "`write_schema` is the schema to write with, so `version` has no effect",
                )
                .with_help("leave out `version` or `write_schema`"),
            );
        }
        if findings.is_empty() {
            findings.extend(self.check_write_schema());
        }
        findings
    }

    /// Whether the file compiles. A file that cannot be read is reported elsewhere, because CI may not have it.
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
}
