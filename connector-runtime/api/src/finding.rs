//! What a check of configuration reports.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    /// Worth knowing; nothing needs to be changed.
    Note,
}

/// One problem in a plugin's configuration. The engine adds file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable code with a dot, such as `mapping.not-null`; `connect explain` takes it.
    pub code: &'static str,
    pub severity: Severity,
    /// JSON pointer into the plugin's table, such as `/tables/0/key` (RFC 6901). Empty: the table itself.
    pub pointer: String,
    /// One sentence without a full stop.
    pub message: String,
    /// A few words under the underlined span.
    pub label: Option<String>,
    /// What to type next.
    pub help: Option<String>,
}

impl Finding {
    pub fn error(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            severity: Severity::Error,
            pointer: pointer.into(),
            message: message.into(),
            label: None,
            help: None,
        }
    }

    pub fn warning(
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            severity: Severity::Warning,
            ..Finding::error(code, pointer, message)
        }
    }

    pub fn with_severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    pub fn with_label(mut self, label: impl Into<String>) -> Finding {
        self.label = Some(label.into());
        self
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(help.into());
        self
    }
}

/// A finding code that a plugin brings, as `connect explain` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    pub code: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What triggers it.
    pub example: &'static str,
    /// What to write instead.
    pub fix: &'static str,
}

impl Explanation {
    /// An error of this code. Findings that are made this way have an explanation.
    pub fn error(&self, pointer: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding::error(self.code, pointer, message)
    }

    /// A warning of this code.
    pub fn warning(&self, pointer: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding::warning(self.code, pointer, message)
    }
}
