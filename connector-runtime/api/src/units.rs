//! Leaf types of configuration with simple syntax: durations, sizes, patterns, files, secrets.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::leaf::leaf_type;

/// A length of time, written with its unit: `"200ms"`, `"30s"`, `"5m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

impl Duration {
    pub const fn from_millis(milliseconds: u64) -> Duration {
        Duration(std::time::Duration::from_millis(milliseconds))
    }

    pub fn parse(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text)
            .map(Duration)
            .map_err(|error| {
                format!("`{text}` is not a duration ({error}); \"200ms\", \"30s\" and \"5m\" are")
            })
    }

    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Duration {
        Duration(duration)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

/// Serialized in the syntax that `parse` reads, so that a default in the printed schema can be copied into a file.
impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

leaf_type!(Duration {
    const FORMAT: &'static str = "duration";
    const ABOUT: &'static str = "A length of time with its unit: \"200ms\", \"30s\", \"5m\", \"1h 30m\".";
    const EXPECTED: &'static str = "a duration such as \"200ms\" or \"30s\"";
    const EXAMPLE: &'static str = "30s";
    const STAND_IN: Option<&'static str> = Some("1s");
});

/// A number of bytes, written with its unit: `"4MiB"`, `"500kB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    pub const fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    pub fn parse(text: &str) -> Result<Size, String> {
        let has_unit = text.contains(|c: char| c.is_ascii_alphabetic());
        match text.parse::<bytesize::ByteSize>() {
            // `bytesize` saturates beyond 64 bits.
            Ok(size) if has_unit && size.as_u64() != u64::MAX => Ok(Size(size.as_u64())),
            _ => Err(format!(
                "`{text}` is not a size; \"4MiB\" and \"500kB\" are"
            )),
        }
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let unit = exact
            .iter()
            .find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match unit {
            Some((unit, name)) => write!(formatter, "{}{name}", self.0 / unit),
            None => write!(formatter, "{}B", self.0),
        }
    }
}

impl serde::Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

leaf_type!(Size {
    const FORMAT: &'static str = "size";
    const ABOUT: &'static str = "A number of bytes with its unit: \"4MiB\" (powers of 1024), \"500kB\" (powers of 1000).";
    const EXPECTED: &'static str = "a size such as \"4MiB\"";
    const EXAMPLE: &'static str = "4MiB";
    const STAND_IN: Option<&'static str> = Some("1MiB");
});

/// A regular expression, matched by the linear engine of the `regex` crate.
#[derive(Clone, Debug)]
pub struct Pattern(regex::Regex);

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, String> {
        regex::Regex::new(text).map(Pattern).map_err(|error| {
            let reason = error.to_string();
            let last = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            format!("`{text}` is not a regular expression: {last}")
        })
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

leaf_type!(Pattern {
    const FORMAT: &'static str = "pattern";
    const ABOUT: &'static str = "A regular expression (syntax of Rust's `regex` crate: linear time, no look-around).";
    const EXPECTED: &'static str = "a regular expression";
    const STAND_IN: Option<&'static str> = Some("");
});

/// A file or folder; relative to the file that names it, absolute once it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    pub fn parse(text: &str) -> Result<FilePath, String> {
        Ok(FilePath(text.into()))
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

leaf_type!(FilePath {
    const FORMAT: &'static str = "file-path";
    const ABOUT: &'static str = "A file or folder, relative to the file that names it.";
    const EXPECTED: &'static str = "the path of a file";
});

/// A JSON Schema file; relative to the file that names it, absolute once it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile(PathBuf);

impl SchemaFile {
    pub fn parse(text: &str) -> Result<SchemaFile, String> {
        Ok(SchemaFile(text.into()))
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

leaf_type!(SchemaFile {
    const FORMAT: &'static str = "schema-file";
    const ABOUT: &'static str = "A JSON Schema file, relative to the file that names it.";
    const EXPECTED: &'static str = "the path of a JSON Schema file";
});

/// A secret: it can be neither printed nor serialized, only exposed explicitly.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn parse(text: &str) -> Result<Secret, String> {
        Ok(Secret(text.to_owned().into()))
    }

    /// The text itself. For clients, never for messages.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

leaf_type!(Secret {
    const FORMAT: &'static str = "secret";
    const ABOUT: &'static str = "A secret: write `${env:NAME}` or `${file:/path}`; it is never printed.";
    const EXPECTED: &'static str = "a string";
    const EXAMPLE: &'static str = "${env:NAME}";
});
