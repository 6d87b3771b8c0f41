//! The one place that talks to the registry.
//!
//! Answers are untrusted: they are read up to a limit, redirects are not followed, and what they say goes into messages
//! cut and escaped. What an answer means is decided by one function, [`Answer::meaning`].

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
/// The registry knows us, and this schema is not for us.
const FORBIDDEN: u32 = 40301;
/// Codes of a registry that cannot read a subject or a version: 42201, 42202, 42208 and others.
const INVALID: std::ops::RangeInclusive<u32> = 42200..=42299;
/// The registry answered that a schema is incompatible or invalid.
const REFUSED: [u16; 2] = [409, 422];

/// Of an answer with a schema. A registry stores a schema as a Kafka record, of 1 MiB unless somebody raised the limit.
const LARGEST_ANSWER: usize = 16 << 20;
/// Of an answer that says what is wrong. The rest is not read.
const LARGEST_PROBLEM: usize = 64 << 10;

/// Why a lookup failed.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// The registry answered, and it does not know what was asked for, or refuses it to us.
    Unknown(String),
    /// The registry answered with more than [`LARGEST_ANSWER`].
    TooLong(String),
    /// Anything else: it did not answer, or with something that is no answer.
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

/// What the registry answers to it.
#[derive(Deserialize)]
struct PostedId {
    id: u32,
}

/// A schema as the registry has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredSchema {
    /// Missing where a schema is asked for by its id.
    pub(crate) id: Option<u32>,
    pub(crate) schema: String,
    /// Missing for Avro.
    pub(crate) schema_type: Option<String>,
    pub(crate) references: Option<Vec<SchemaReference>>,
    pub(crate) subject: Option<String>,
    pub(crate) version: Option<u32>,
}

/// How the registry says that something is wrong.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error_code: u32,
    message: String,
}

/// An answer of any server.
struct Answer {
    status: StatusCode,
    /// Where a redirect leads.
    location: Option<String>,
    body: Vec<u8>,
    /// Whether the body goes on behind the limit.
    is_cut: bool,
}

/// What a lookup names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// An id of a message, which is a number: a registry that calls it invalid is out of order.
    Id,
    /// A subject and a version as they are written in a configuration or a schema. A registry that calls them invalid will
    /// do so each time.
    Version,
}

/// What an answer to a lookup means.
enum Meaning {
    Found,
    TooLong,
    Unknown(String),
    /// A registry says so of what it does not know, and a proxy or a wrong `url` of everything.
    Doubtful(String),
    Outage(String),
}

impl Client {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Client, Cause> {
        let authorities = match &config.ca_file {
            Some(file) => certificates(file.as_path())?,
            None => Vec::new(),
        };
        // A server in the registry's place must not choose which host is asked next.
        let http = reqwest::Client::builder()
            .tls_certs_merge(authorities)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout.get())
            .build()
            .map_err(|error| {
                let reason = what_happened(&error);
                Cause::new(format!(
                    "the client of the schema registry cannot be set up: {reason}"
                ))
            })?;
        let username = config.username.clone();
        Ok(Client {
            http,
            basic: username.map(|username| (username, config.password.clone())),
            url: config.url.trim_end_matches('/').to_owned(),
        })
    }

    /// The schema of an id, also if its subject was deleted softly: its messages are still there.
    pub(crate) async fn by_id(&self, id: u32) -> Result<RegisteredSchema, LookupError> {
        let path = format!("/schemas/ids/{id}?deleted=true");
        self.look_up(&path, Named::Id).await
    }

    pub(crate) async fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Result<RegisteredSchema, LookupError> {
        // A subject may hold `/`, `:` and whatever else.
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

    async fn look_up(&self, path: &str, named: Named) -> Result<RegisteredSchema, LookupError> {
        let mut is_registry = false;
        loop {
            let answer = self.get(path).await?;
            match answer.meaning(named) {
                Meaning::Found => return self.read(&answer),
                Meaning::TooLong => {
                    return Err(LookupError::TooLong(format!(
                        "the registry's answer is longer than {} MiB",
                        LARGEST_ANSWER >> 20
                    )));
                }
                Meaning::Doubtful(words) if !is_registry => {
                    self.prove_registry(&answer, &words).await?;
                    // The first answer may be from before the registry came back: only one after the proof counts.
                    is_registry = true;
                }
                Meaning::Unknown(words) | Meaning::Doubtful(words) => {
                    return Err(LookupError::Unknown(cut(&words, 300)));
                }
                Meaning::Outage(words) => return Err(self.outage(Some(answer.status), &words)),
            }
        }
    }

    /// `Ok` if a registry answers that lets us read. An outage must reject no record: behind a proxy without a backend,
    /// or a `url` with a wrong path, every id has the answer 404, and without grants every id has 403.
    async fn prove_registry(&self, doubtful: &Answer, words: &str) -> Result<(), LookupError> {
        let is_forbidden = doubtful.status == StatusCode::FORBIDDEN;
        if !is_forbidden && self.get("/schemas/types").await?.is_list(1) {
            return Ok(());
        }
        // Registries of before 2020 have no list of types. Who may read nothing gets an empty list of subjects.
        let subjects = self.get("/subjects").await?;
        if subjects.is_list(usize::from(is_forbidden)) {
            return Ok(());
        }
        let reason = if is_forbidden {
            "and no subject may be read"
        } else {
            "and neither /schemas/types nor /subjects has an answer of a registry: check `url` under [registry]"
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
            let words = format!("its answer cannot be read: {error}");
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
            "the schema registry at {} cannot be asked: {words}",
            self.url
        );
        let cause = Cause::new(cut(&message, 400)).with_dependency(Dependency::Registry);
        LookupError::Outage(match status {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => cause
                .with_help("check `username` and `password` under [registry]")
                .with_dependency(Dependency::Credentials),
            Some(status) if status.is_redirection() => cause.with_help(
                "redirects are not followed: write where it leads as `url` under [registry]",
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

    /// The one decision: what a registry says of an unknown schema or an invalid name is an answer; everything else is
    /// an outage.
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

    /// The status, with the registry's own words or where a redirect leads.
    fn words(&self) -> String {
        let problem = self.problem();
        let status = self.status;
        match &self.location {
            Some(location) => format!("it answered {status}, to {location}"),
            None if problem.error_code == 0 => format!("it answered {status}"),
            None => format!(
                "it answered {status}: {} ({})",
                problem.message, problem.error_code
            ),
        }
    }

    /// Whether it is a list of at least `least` names.
    fn is_list(&self, least: usize) -> bool {
        let names: Result<Vec<String>, _> = serde_json::from_slice(&self.body);
        // Names of more than the limit are names.
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
        Err(unusable("it holds no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

/// Why a handshake failed, or else the error at the bottom ("connection refused"): those above it only say that something
/// did.
fn what_happened(error: &(dyn std::error::Error + 'static)) -> String {
    tls_error(error).unwrap_or_else(|| {
        let mut bottom = error;
        while let Some(source) = bottom.source() {
            bottom = source;
        }
        bottom.to_string()
    })
}
