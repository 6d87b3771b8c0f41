//! What was fetched from the registry. An id's schema never changes, so what is known stays known; what was unknown
//! is asked again after a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure};
use parking_lot::RwLock;

use super::client::{Client, LookupError, Posted};
use super::contract::LoadError;
use super::{RegisteredContract, Wanted};
use crate::config::{Format, RegistryConfig, RegistryVersion};

/// How long an unusable id is refused without asking again: it, or what it refers to, may be registered meanwhile.
const UNUSABLE_FOR: Duration = Duration::from_secs(60);
/// Random bytes behind a zero byte name up to four billion ids; so many unusable ones are remembered at most.
const MOST_UNUSABLE: usize = 10_000;

/// The registry as decoders and encoders see it; shared by all of a process.
pub(crate) struct Registry {
    client: Client,
    by_id: RwLock<HashMap<u32, Arc<RegisteredContract>>>,
    unusable: RwLock<HashMap<u32, (Instant, Unusable)>>,
    by_version: RwLock<HashMap<(String, RegistryVersion), Arc<RegisteredContract>>>,
}

/// Why no message can be read by an id. A producer chooses the id, so this is the message's own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// One line that names the schema.
    pub(crate) message: String,
    /// The schema's name, where the registry has the schema.
    pub(crate) schema: Option<String>,
}

/// What the cache has to say about an id.
pub(crate) enum Lookup {
    Known(Arc<RegisteredContract>),
    /// The registry does not know the id, or its schema does not compile here. True a short while ago.
    Unusable(Unusable),
    Missing,
}

impl Registry {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Registry, Cause> {
        Ok(Registry {
            client: Client::new(config)?,
            by_id: RwLock::default(),
            unusable: RwLock::default(),
            by_version: RwLock::default(),
        })
    }

    pub(crate) fn by_id(&self, id: u32) -> Lookup {
        let known = self.by_id.read();
        if let Some(contract) = known.get(&id) {
            return Lookup::Known(Arc::clone(contract));
        }
        let unusable = self.unusable.read();
        match unusable.get(&id) {
            Some((since, unusable)) if since.elapsed() < UNUSABLE_FOR => {
                Lookup::Unusable(unusable.clone())
            }
            _ => Lookup::Missing,
        }
    }

    pub(crate) fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Option<Arc<RegisteredContract>> {
        let known = self.by_version.read();
        known.get(&(subject.to_owned(), version)).cloned()
    }

    /// Asks the registry. `Ok` means that the cache now has an answer, be it "unusable".
    pub(crate) async fn fetch(&self, wanted: &Wanted) -> Result<(), Failure> {
        match wanted {
            Wanted::Id(id) => self.fetch_id(*id).await,
            Wanted::Version {
                subject,
                version,
                format,
            } => {
                let found = self.fetch_version(subject, *version).await?;
                fits(&found, *format)
            }
        }
    }

    async fn fetch_id(&self, id: u32) -> Result<(), Failure> {
        let unusable = match self.client.by_id(id).await {
            Ok(schema) => match RegisteredContract::load(&self.client, schema).await {
                Ok(contract) => {
                    let mut known = self.by_id.write();
                    known.insert(id, Arc::new(contract));
                    return Ok(());
                }
                Err(LoadError::Outage(cause)) => return Err(Failure::Retry(cause)),
                Err(LoadError::Unusable(unusable)) => unusable,
            },
            Err(LookupError::Outage(cause)) => return Err(Failure::Retry(cause)),
            Err(LookupError::Unknown(reason)) => Unusable {
                message: format!("schema id {id} is unknown to the registry: {reason}"),
                schema: None,
            },
        };
        self.remember_unusable(id, unusable);
        Ok(())
    }

    fn remember_unusable(&self, id: u32, reason: Unusable) {
        let mut unusable = self.unusable.write();
        if unusable.len() >= MOST_UNUSABLE {
            unusable.clear();
        }
        unusable.insert(id, (Instant::now(), reason));
    }

    /// The subject's version, from the cache or from the registry. The configuration names it: that it is unknown or does
    /// not compile is no record's fault.
    pub(crate) async fn fetch_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Result<Arc<RegisteredContract>, Failure> {
        if let Some(contract) = self.by_version(subject, version) {
            return Ok(contract);
        }
        let schema = match self.client.by_version(subject, version).await {
            Ok(schema) => schema,
            Err(LookupError::Outage(cause)) => return Err(Failure::Retry(cause)),
            Err(LookupError::Unknown(reason)) => {
                let message = format!(
                    "the schema registry has no version {version} of the subject {subject}: {reason}"
                );
                let help = "register the schema, or name another `subject` or `version`";
                return Err(Failure::Fatal(Cause::new(message).with_help(help)));
            }
        };
        let contract = match RegisteredContract::load(&self.client, schema).await {
            Ok(contract) => Arc::new(contract),
            Err(LoadError::Outage(cause)) => return Err(Failure::Retry(cause)),
            Err(LoadError::Unusable(Unusable { message, .. })) => {
                let help =
                    "register a schema that compiles, or name another `subject` or `version`";
                return Err(Failure::Fatal(Cause::new(message).with_help(help)));
            }
        };
        let mut known = self.by_version.write();
        known.insert((subject.to_owned(), version), Arc::clone(&contract));
        Ok(contract)
    }

    /// The id of a schema of our own under its subject. It is registered there if `register`, otherwise it must be there.
    pub(crate) async fn id_of(
        &self,
        subject: &str,
        schema: &Posted<'_>,
        register: bool,
    ) -> Result<u32, Failure> {
        let answer = if register {
            self.client.register(subject, schema).await
        } else {
            self.client.find(subject, schema).await
        };
        answer.map_err(|error| match error {
            LookupError::Outage(cause) => Failure::Retry(cause),
            LookupError::Unknown(reason) if register => Failure::Fatal(
                Cause::new(format!(
                    "the schema registry does not take the schema as a version of {subject}: {reason}"
                ))
                .with_help("change `write_schema` so that it is compatible, or name another `subject`"),
            ),
            LookupError::Unknown(reason) => Failure::Fatal(
                Cause::new(format!(
                    "the schema registry does not have the schema under {subject}: {reason}"
                ))
                .with_help("register it, or write `auto_register = true` in `registry`"),
            ),
        })
    }
}

/// Whether the configuration names a schema of its own format.
pub(crate) fn fits(contract: &RegisteredContract, format: Format) -> Result<(), Failure> {
    if contract.codec(format.entry()).is_some() {
        return Ok(());
    }
    Err(Failure::Fatal(Cause::new(format!(
        "{} is a schema of type {}, and `format = \"{}\"` is set",
        contract.name,
        contract.type_name(),
        format.name(),
    ))))
}
