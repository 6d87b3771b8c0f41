//! The one place that talks to the registry.
//!
//! `schema_registry_converter` does the calls. Of its API only the plain lookups are used: its encoders and decoders
//! keep failed calls in a cache (429, 500, 504 and an expired 401 as if they were final) and tell an outage from an
//! unknown schema by the HTTP status alone. Here every failed call is asked again, and what a failure means is decided
//! by one function, [`meaning`].

use connect_api::Cause;
use percent_encoding::utf8_percent_encode;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_schema_by_id, get_schema_by_subject_and_version,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RegisteredSchema};

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
    url: String,
}

impl Client {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Client, Cause> {
        let url = config.url.trim_end_matches('/').to_owned();
        let mut http = reqwest::Client::builder();
        if let Some(file) = &config.ca_file {
            http = http.tls_certs_merge(certificates(file.as_path())?);
        }
        let mut builder = SrSettings::new_builder(url.clone());
        builder.set_timeout(config.timeout.get());
        if let Some(username) = &config.username {
            let password = config.password.as_ref().map(connect_api::Secret::expose);
            builder.set_basic_authorization(username, password);
        }
        let settings = builder.build_with(http).map_err(|error| {
            Cause::new(format!(
                "the client of the schema registry cannot be set up: {}",
                error.error
            ))
        })?;
        Ok(Client { settings, url })
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
        let message = crate::rejection::shown(
            &format!(
                "the schema registry at {} cannot be asked: {words}{detail}",
                self.url
            ),
            300,
        );
        let cause = Cause::new(message);
        LookupError::Outage(if words.contains("401") || words.contains("403") {
            cause.with_help("check `username` and `password` under [registry]")
        } else {
            cause
        })
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
