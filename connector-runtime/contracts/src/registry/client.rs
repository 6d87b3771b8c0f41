//! The one place that talks to the registry.
//!
//! `schema_registry_converter` does the calls. Of its API only the plain lookups are used, and our own schemas are posted here: its encoders and decoders
//! keep failed calls in a cache (429, 500, 504 and an expired 401 as if they were final) and tell an outage from an
//! unknown schema by the HTTP status alone. Here every failed call is asked again, and what a failure means is decided
//! by one function, [`meaning`].

use connect_api::{Cause, Secret};
use percent_encoding::utf8_percent_encode;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_schema_by_id, get_schema_by_subject_and_version,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RegisteredSchema};
use serde::{Deserialize, Serialize};

use crate::config::{RegistryConfig, RegistryVersion};
use crate::schema::UNRESERVED;

/// Subject, version or schema are unknown to the registry.
const UNKNOWN: [u32; 3] = [40401, 40402, 40403];

/// Why a lookup failed.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// The registry answered, and it does not know what was asked for.
    Unknown(String),
    /// Anything else: it did not answer, or with something that is no answer.
    Outage(Cause),
}

pub(crate) struct Client {
    settings: SrSettings,
    /// For what the library cannot ask.
    http: reqwest::Client,
    basic: Option<(String, Option<Secret>)>,
    url: String,
}

/// A schema of our own, as it is sent to the registry.
#[derive(Serialize)]
pub(crate) struct Posted<'s> {
    pub(crate) schema: &'s str,
    #[serde(rename = "schemaType")]
    pub(crate) schema_type: &'s str,
}

/// What the registry answers to it.
#[derive(Deserialize)]
struct Found {
    id: u32,
}

/// How the registry says that something is wrong.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error_code: u32,
    message: String,
}

/// The registry answered that a schema is incompatible or invalid.
const REFUSED: [u16; 2] = [409, 422];

impl Client {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Client, Cause> {
        let url = config.url.trim_end_matches('/').to_owned();
        let authorities = match &config.ca_file {
            Some(file) => certificates(file.as_path())?,
            None => Vec::new(),
        };
        let http = || reqwest::Client::builder().tls_certs_merge(authorities.clone());
        let mut builder = SrSettings::new_builder(url.clone());
        builder.set_timeout(config.timeout.get());
        if let Some(username) = &config.username {
            let password = config.password.as_ref().map(connect_api::Secret::expose);
            builder.set_basic_authorization(username, password);
        }
        let unusable = |reason: String| {
            Cause::new(format!(
                "the client of the schema registry cannot be set up: {reason}"
            ))
        };
        let settings = builder
            .build_with(http())
            .map_err(|error| unusable(error.error))?;
        let own = http()
            .timeout(config.timeout.get())
            .build()
            .map_err(|error| unusable(innermost(&error)))?;
        let username = config.username.clone();
        Ok(Client {
            settings,
            http: own,
            basic: username.map(|username| (username, config.password.clone())),
            url,
        })
    }

    pub(crate) async fn by_id(&self, id: u32) -> Result<RegisteredSchema, LookupError> {
        get_schema_by_id(id, &self.settings)
            .await
            .map_err(|error| self.meaning(&error))
    }

    pub(crate) async fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Result<RegisteredSchema, LookupError> {
        let version = match version {
            RegistryVersion::Latest => None,
            RegistryVersion::Number(number) => Some(number),
        };
        // A subject may hold `/`, `:` and whatever else.
        let segment = utf8_percent_encode(subject, &UNRESERVED).to_string();
        get_schema_by_subject_and_version(&self.settings, &segment, version)
            .await
            .map_err(|error| self.meaning(&error))
    }

    /// The id of a schema that the subject has.
    pub(crate) async fn find(
        &self,
        subject: &str,
        schema: &Posted<'_>,
    ) -> Result<u32, LookupError> {
        let segment = utf8_percent_encode(subject, &UNRESERVED);
        self.post(&format!("/subjects/{segment}"), schema).await
    }

    /// Registers a schema under the subject, which answers with the same id if it has the schema already.
    pub(crate) async fn register(
        &self,
        subject: &str,
        schema: &Posted<'_>,
    ) -> Result<u32, LookupError> {
        let segment = utf8_percent_encode(subject, &UNRESERVED);
        let path = format!("/subjects/{segment}/versions");
        self.post(&path, schema).await
    }

    async fn post(&self, path: &str, schema: &Posted<'_>) -> Result<u32, LookupError> {
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/vnd.schemaregistry.v1+json")
            .body(serde_json::to_vec(schema).expect("strings serialize"));
        if let Some((username, password)) = &self.basic {
            request = request.basic_auth(username, password.as_ref().map(Secret::expose));
        }
        let sent = async {
            let response = request.send().await?;
            let status = response.status();
            Ok((status, response.bytes().await?))
        };
        let (status, body) = sent
            .await
            .map_err(|error: reqwest::Error| self.outage(&innermost(&error)))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map(|found: Found| found.id)
                .map_err(|error| self.outage(&format!("its answer cannot be read: {error}")));
        }
        let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        let words = format!("{} ({})", problem.message, problem.error_code);
        if UNKNOWN.contains(&problem.error_code) || REFUSED.contains(&status.as_u16()) {
            return Err(LookupError::Unknown(crate::rejection::shown(&words, 300)));
        }
        Err(self.outage(&format!("it answered {status}: {words}")))
    }

    fn outage(&self, words: &str) -> LookupError {
        let message = format!(
            "the schema registry at {} cannot be asked: {words}",
            self.url
        );
        let cause = Cause::new(crate::rejection::shown(&message, 300));
        LookupError::Outage(if words.contains("401") || words.contains("403") {
            cause.with_help("check `username` and `password` under [registry]")
        } else {
            cause
        })
    }

    /// The one decision: only the registry's own codes for "unknown" are an answer; everything else is an outage.
    fn meaning(&self, error: &SRCError) -> LookupError {
        let source = std::error::Error::source(error);
        let answered = source.and_then(|source| source.downcast_ref::<RawError>());
        if let Some(answer) = answered
            && UNKNOWN.contains(&answer.error_code)
        {
            return LookupError::Unknown(format!("{} ({})", answer.message, answer.error_code));
        }
        let words = error
            .error
            .replace("HTTP request to schema registry failed with", "it answered");
        let detail = match (answered, source) {
            (Some(answer), _) if answer.error_code != 0 => {
                format!(": {} ({})", answer.message, answer.error_code)
            }
            (Some(_), _) => String::new(),
            (None, Some(source)) => format!(": {}", innermost(source)),
            (None, None) => String::new(),
        };
        self.outage(&format!("{words}{detail}"))
    }
}

fn certificates(file: &std::path::Path) -> Result<Vec<reqwest::Certificate>, Cause> {
    let unusable = |reason: String| {
        Cause::new(format!(
            "`ca_file` {} cannot be used: {reason}",
            file.display()
        ))
        .with_help("name a file with certificates in PEM form")
    };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        Err(unusable("it holds no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

/// The error at the bottom says what happened ("connection refused"); those above it only that something did.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut bottom = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}
