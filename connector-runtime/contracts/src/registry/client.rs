//! The HTTP client of the schema registry.
//!
//! Responses are untrusted: they are read up to a limit, redirects are not followed, and messages quote them cut and escaped. One
//! function, [`Answer::meaning`], decides what a response means.

use connect_api::{Cause, Dependency, Secret, tls_error};
use percent_encoding::utf8_percent_encode;
use reqwest::{RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};

use super::source::SchemaReference;
use crate::config::{RegistryConfig, RegistryVersion};
use crate::schema::UNRESERVED;
use connect_api::text::cut;

/// Subject, version or schema are unknown to the registry.
const UNKNOWN: [u32; 3] = [40401, 40402, 40403];
/// We are authenticated, but not authorized for this schema.
const FORBIDDEN: u32 = 40301;
/// Codes of a registry that cannot read a subject or a version: 42201, 42202, 42208 and others.
const INVALID: std::ops::RangeInclusive<u32> = 42200..=42299;
/// The schema is incompatible or invalid.
const REFUSED: [u16; 2] = [409, 422];

/// Bytes of a response with a schema. A registry stores a schema as a Kafka record, by default of at most 1 MiB.
const LARGEST_ANSWER: usize = 16 << 20;
/// Bytes of an error response. The rest is not read.
const LARGEST_PROBLEM: usize = 64 << 10;

/// Why a lookup failed.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// The registry responded that it does not have the schema, or that we may not read it.
    Unknown(String),
    /// The response is larger than [`LARGEST_ANSWER`].
    TooLong(String),
    /// Anything else: no response, or one that is not a registry's.
    Outage(Cause),
}

pub(crate) struct Client {
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

/// The registry's response to it.
#[derive(Deserialize)]
struct PostedId {
    id: u32,
}

/// A schema as the registry has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredSchema {
    /// Missing when a schema is requested by its id.
    pub(crate) id: Option<u32>,
    pub(crate) schema: String,
    /// Missing for Avro.
    pub(crate) schema_type: Option<String>,
    pub(crate) references: Option<Vec<SchemaReference>>,
    pub(crate) subject: Option<String>,
    pub(crate) version: Option<u32>,
}

/// An error response of the registry.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error_code: u32,
    message: String,
}

/// A response of any server.
struct Answer {
    status: StatusCode,
    /// The target of a redirect.
    location: Option<String>,
    body: Vec<u8>,
    /// Whether the body exceeds the limit.
    is_cut: bool,
}

/// What a lookup requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// The id of a message. It is a number, so a registry that calls it invalid is faulty.
    Id,
    /// A subject and a version as a configuration or a schema writes them. A registry that calls them invalid always will.
    Version,
}

/// What a response to a lookup means.
enum Meaning {
    Found,
    TooLong,
    Unknown(String),
    /// A registry responds so for an unknown schema, but a proxy or a wrong `url` for every path.
    Doubtful(String),
    Outage(String),
}

impl Client {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Client, Cause> {
        let authorities = match &config.ca_file {
            Some(file) => certificates(file.as_path())?,
            None => Vec::new(),
        };
        // A server that impersonates the registry must not choose the next host.
        let http = reqwest::Client::builder()
            .tls_certs_merge(authorities)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout.get())
            .build()
            .map_err(|error| {
                let reason = what_happened(&error);
                Cause::new(format!(
                    "the schema registry client cannot be created: {reason}"
                ))
            })?;
        let username = config.username.clone();
        Ok(Client {
            http,
            basic: username.map(|username| (username, config.password.clone())),
            url: config.url.trim_end_matches('/').to_owned(),
        })
    }

    /// The schema of an id, even if its subject was soft-deleted, because its messages remain.
    pub(crate) async fn by_id(&self, id: u32) -> Result<RegisteredSchema, LookupError> {
        let path = format!("/schemas/ids/{id}?deleted=true");
        self.look_up(&path, Named::Id).await
    }

    pub(crate) async fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Result<RegisteredSchema, LookupError> {
        // A subject may contain any character.
        let segment = utf8_percent_encode(subject, &UNRESERVED);
        let path = format!("/subjects/{segment}/versions/{version}");
        self.look_up(&path, Named::Version).await
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

    /// Registers a schema under the subject. If the subject has it already, its id is returned.
    pub(crate) async fn register(
        &self,
        subject: &str,
        schema: &Posted<'_>,
    ) -> Result<u32, LookupError> {
        let segment = utf8_percent_encode(subject, &UNRESERVED);
        let path = format!("/subjects/{segment}/versions");
        self.post(&path, schema).await
    }

    async fn look_up(&self, path: &str, named: Named) -> Result<RegisteredSchema, LookupError> {
        let mut is_registry = false;
        loop {
            let answer = self.get(path).await?;
            match answer.meaning(named) {
                Meaning::Found => return self.read(&answer),
                Meaning::TooLong => {
                    return Err(LookupError::TooLong(format!(
                        "the registry's response is larger than {} MiB",
                        LARGEST_ANSWER >> 20
                    )));
                }
                Meaning::Doubtful(words) if !is_registry => {
                    self.prove_registry(&answer, &words).await?;
                    // The first response may be from before the registry came back: only one after the proof counts.
                    is_registry = true;
                }
                Meaning::Unknown(words) | Meaning::Doubtful(words) => {
                    return Err(LookupError::Unknown(cut(&words, 300)));
                }
                Meaning::Outage(words) => return Err(self.outage(Some(answer.status), &words)),
            }
        }
    }

    /// `Ok` if a registry responds that lets us read. An outage must not reject a record: a proxy without a backend or a `url`
    /// with a wrong path responds 404 to every id, and without grants every id is 403.
    async fn prove_registry(&self, doubtful: &Answer, words: &str) -> Result<(), LookupError> {
        let is_forbidden = doubtful.status == StatusCode::FORBIDDEN;
        if !is_forbidden && self.get("/schemas/types").await?.is_list(1) {
            return Ok(());
        }
        // Registries before 2020 have no list of types. A user without read access gets an empty list of subjects.
        let subjects = self.get("/subjects").await?;
        if subjects.is_list(usize::from(is_forbidden)) {
            return Ok(());
        }
        let reason = if is_forbidden {
            "and no subject may be read"
        } else {
            "and neither /schemas/types nor /subjects responds like a registry: check `url` under [registry]"
        };
        Err(self.outage(Some(doubtful.status), &format!("{words}, {reason}")))
    }

    async fn post(&self, path: &str, schema: &Posted<'_>) -> Result<u32, LookupError> {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/vnd.schemaregistry.v1+json")
            .body(serde_json::to_vec(schema).expect("strings serialize"));
        let answer = self.send(request).await?;
        if answer.status.is_success() {
            return self.read(&answer).map(|found: PostedId| found.id);
        }
        let problem = answer.problem();
        if UNKNOWN.contains(&problem.error_code) || REFUSED.contains(&answer.status.as_u16()) {
            let words = format!("{} ({})", problem.message, problem.error_code);
            return Err(LookupError::Unknown(cut(&words, 300)));
        }
        Err(self.outage(Some(answer.status), &answer.words()))
    }

    async fn get(&self, path: &str) -> Result<Answer, LookupError> {
        let request = self
            .http
            .get(format!("{}{path}", self.url))
            .header("accept", "application/vnd.schemaregistry.v1+json");
        self.send(request).await
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Answer, LookupError> {
        if let Some((username, password)) = &self.basic {
            request = request.basic_auth(username, password.as_ref().map(Secret::expose));
        }
        let answered = async { Answer::receive(request.send().await?).await };
        answered
            .await
            .map_err(|error: reqwest::Error| self.unreached(&error))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, LookupError> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            let words = format!("its response cannot be read: {error}");
            self.outage(Some(answer.status), &words)
        })
    }

    fn unreached(&self, error: &reqwest::Error) -> LookupError {
        match self.outage(None, &what_happened(error)) {
            LookupError::Outage(cause) if tls_error(error).is_some() => {
                LookupError::Outage(cause.with_dependency(Dependency::Certificate))
            }
            outage => outage,
        }
    }

    fn outage(&self, status: Option<StatusCode>, words: &str) -> LookupError {
        let message = format!(
            "request to the schema registry at {} failed: {words}",
            self.url
        );
        let cause = Cause::new(cut(&message, 400)).with_dependency(Dependency::Registry);
        LookupError::Outage(match status {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => cause
                .with_help("check `username` and `password` under [registry]")
                .with_dependency(Dependency::Credentials),
            Some(status) if status.is_redirection() => cause.with_help(
                "redirects are not followed: write the target as `url` under [registry]",
            ),
            _ => cause,
        })
    }
}

impl Answer {
    /// Reads chunk by chunk, never beyond the limit.
    async fn receive(mut response: reqwest::Response) -> Result<Answer, reqwest::Error> {
        let status = response.status();
        let limit = if status.is_success() {
            LARGEST_ANSWER
        } else {
            LARGEST_PROBLEM
        };
        let location = response.headers().get("location");
        let mut answer = Answer {
            status,
            location: location.map(|location| String::from_utf8_lossy(location.as_bytes()).into()),
            body: Vec::new(),
            is_cut: false,
        };
        while let Some(chunk) = response.chunk().await? {
            if answer.body.len() + chunk.len() > limit {
                answer.is_cut = true;
                break;
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    /// The only place that decides: a registry's response about an unknown schema or an invalid name is definite; everything
    /// else is an outage.
    fn meaning(&self, named: Named) -> Meaning {
        if self.status.is_success() {
            return if self.is_cut {
                Meaning::TooLong
            } else {
                Meaning::Found
            };
        }
        let problem = self.problem();
        let is_invalid = named == Named::Version
            && self.status == StatusCode::UNPROCESSABLE_ENTITY
            && INVALID.contains(&problem.error_code);
        if is_invalid || UNKNOWN.contains(&problem.error_code) {
            return Meaning::Unknown(format!("{} ({})", problem.message, problem.error_code));
        }
        match self.status {
            StatusCode::NOT_FOUND => Meaning::Doubtful(self.words()),
            StatusCode::FORBIDDEN if problem.error_code == FORBIDDEN => {
                Meaning::Doubtful(self.words())
            }
            _ => Meaning::Outage(self.words()),
        }
    }

    fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, with the registry's message or the target of a redirect.
    fn words(&self) -> String {
        let problem = self.problem();
        let status = self.status;
        match &self.location {
            Some(location) => format!("it responded {status}, to {location}"),
            None if problem.error_code == 0 => format!("it responded {status}"),
            None => format!(
                "it responded {status}: {} ({})",
                problem.message, problem.error_code
            ),
        }
    }

    /// Whether it is a list of at least `least` names.
    fn is_list(&self, least: usize) -> bool {
        let names: Result<Vec<String>, _> = serde_json::from_slice(&self.body);
        // A list that exceeds the limit has enough names.
        let is_list = names.is_ok_and(|names| names.len() >= least)
            || self.is_cut && self.body.starts_with(b"[\"");
        self.status.is_success() && is_list
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
        Err(unusable("it contains no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

/// Why a handshake failed, or else the innermost error ("connection refused"): the outer ones only say that something failed.
fn what_happened(error: &(dyn std::error::Error + 'static)) -> String {
    tls_error(error).unwrap_or_else(|| {
        let mut bottom = error;
        while let Some(source) = bottom.source() {
            bottom = source;
        }
        bottom.to_string()
    })
}
