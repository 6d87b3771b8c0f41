//! The keys of a `[[sinks]]` table of type `http`, and their checks.

use std::collections::BTreeMap;

use connect_api::{Duration, Explanation, FilePath, Finding, Secret, Template, pointer};
use connect_http::{Reach, UrlHost};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::UrlTemplate;

/// Posts records as JSON. A response of 2xx means delivered. 408, 429, 5xx and no response are retried, after the time
/// that `Retry-After` names; so are 401, 403 and 407, because credentials are not a record's fault. Any other 4xx
/// rejects the record. A redirect stops the connector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The URL: `https`, or `http` within a private network (`allow_private`) and to this machine. In its path and query,
    /// `{$.store.id}` is a field of the record and `{topic}`, `{partition}`, `{offset}`, `{#key}` its metadata, all
    /// percent-encoded. A record whose field is missing, empty, `.` or `..` is rejected.
    pub(crate) url: Template,
    #[serde(default)]
    pub(crate) method: Method,
    /// What one request carries.
    #[serde(default)]
    pub(crate) per: Per,
    /// Headers of every request, such as `{ Authorization = "Bearer ${env:API_TOKEN}" }`. Their values are never printed.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Secret>,
    /// The limit for one request, from the lookup of the name to the last byte of the response.
    #[serde(default = "thirty_seconds")]
    pub(crate) timeout: Duration,
    /// Requests at the same time. Those of one partition follow each other, so that the order is kept.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 256))]
    pub(crate) connections: usize,
    /// Whether the host may have an address of a private network.
    #[serde(default)]
    pub(crate) allow_private: bool,
    /// A PEM file of certificates to trust in addition to those of the system.
    #[serde(default)]
    pub(crate) ca: Option<FilePath>,
}

/// The method of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Post,
    Put,
    Patch,
}

/// What one request carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The value of one record.
    #[default]
    Record,
    /// An array of the values of one partition's records, in order.
    Batch,
}

fn thirty_seconds() -> Duration {
    Duration::from_millis(30_000)
}

fn eight() -> usize {
    8
}

/// Headers that the sink itself writes.
const OWN_HEADERS: [&str; 4] = [
    "idempotency-key",
    "content-length",
    "transfer-encoding",
    "host",
];

pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: "http.url",
        why: "Requests go to one host, which the file names in full: the content of a record never chooses it. Addresses of private networks are refused unless `allow_private` is set, because a configuration file would otherwise reach internal services, such as the metadata service of a cloud.",
        example: "url = \"http://169.254.169.254/latest/\"",
        fix: "url = \"https://api.example.com/sales/{$.store.id}\"",
    },
    Explanation {
        code: "http.header",
        why: "A header has a name of RFC 9110 and a value without control characters; those that describe the body and `Idempotency-Key` are written by the sink.",
        example: "headers = { \"Idempotency-Key\" = \"1\" }",
        fix: "headers = { Authorization = \"Bearer ${env:API_TOKEN}\" }",
    },
    Explanation {
        code: "http.timeout",
        why: "Without time for a response every request fails.",
        example: "timeout = \"0s\"",
        fix: "timeout = \"30s\"",
    },
];

impl Config {
    pub(crate) fn reach(&self) -> Reach {
        if self.allow_private {
            Reach::Private
        } else {
            Reach::Public
        }
    }

    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let url = UrlTemplate::new(&self.url, self.per)
            .and_then(|url| UrlHost::parse(&url.example(), self.reach()));
        if let Err(reason) = url {
            findings.push(Finding::error("http.url", "/url", reason));
        }
        for (name, value) in &self.headers {
            if let Err(reason) = header(name, value) {
                let pointer = pointer::member("/headers", name);
                findings.push(Finding::error("http.header", pointer, reason));
            }
        }
        if self.timeout.get().is_zero() {
            let message = "`timeout` is 0; expected more, such as \"30s\"";
            findings.push(Finding::error("http.timeout", "/timeout", message));
        }
        findings
    }

    /// The headers of every request.
    pub(crate) fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// A header, marked so that no log shows its value.
fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not the name of a header"))?;
    if OWN_HEADERS.contains(&parsed.as_str()) {
        return Err(format!("`{name}` is written by the sink itself"));
    }
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        format!(
            "the value of `{name}` has characters that no header can have, such as a line break"
        )
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
