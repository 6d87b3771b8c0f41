//! What was fetched from the registry. An id's schema never changes, so what is known stays known; what was unknown
//! is asked again after a while.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure};

use super::client::{Client, LookupError};
use super::{Kind, RegisteredContract, Wanted};
use crate::config::{RegistryConfig, RegistryVersion};

/// How long an unknown id is refused without asking again: it may be registered meanwhile.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// Random bytes behind a zero byte name up to four billion ids; so many unknown ones are remembered at most.
const MOST_UNKNOWN: usize = 10_000;

/// The registry as decoders and encoders see it; shared by all of a process.
pub(crate) struct Registry {
    client: Client,
    by_id: RwLock<HashMap<u32, Arc<RegisteredContract>>>,
    unknown: RwLock<HashMap<u32, (Instant, String)>>,
    by_version: RwLock<HashMap<(String, RegistryVersion), Arc<RegisteredContract>>>,
}

/// What the cache has to say about an id.
pub(crate) enum Lookup {
    Known(Arc<RegisteredContract>),
    /// The registry said so a short while ago.
    Unknown(String),
    Missing,
}

impl Registry {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Registry, Cause> {
        Ok(Registry {
            client: Client::new(config)?,
            by_id: RwLock::default(),
            unknown: RwLock::default(),
            by_version: RwLock::default(),
        })
    }

    pub(crate) fn by_id(&self, id: u32) -> Lookup {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(contract) = known.get(&id) {
            return Lookup::Known(Arc::clone(contract));
        }
        let unknown = self.unknown.read().unwrap_or_else(PoisonError::into_inner);
        match unknown.get(&id) {
            Some((since, reason)) if since.elapsed() < UNKNOWN_FOR => {
                Lookup::Unknown(reason.clone())
            }
            _ => Lookup::Missing,
        }
    }

    pub(crate) fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Option<Arc<RegisteredContract>> {
        let known = self
            .by_version
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(&(subject.to_owned(), version)).cloned()
    }

    /// Asks the registry. `Ok` means that the cache now has an answer, be it "unknown".
    pub(crate) async fn fetch(&self, wanted: &Wanted) -> Result<(), Failure> {
        match wanted {
            Wanted::Id(id) => self.fetch_id(*id).await,
            Wanted::Version { subject, version } => {
                let found = self.fetch_version(subject, *version).await?;
                match found.kind {
                    Kind::Json(_) => Ok(()),
                    Kind::Avro(_) | Kind::Other(_) => Err(Failure::Fatal(Cause::new(format!(
                        "{} is a schema of type {}, and JSON is to be checked against it",
                        found.name,
                        found.kind_name(),
                    )))),
                }
            }
        }
    }

    async fn fetch_id(&self, id: u32) -> Result<(), Failure> {
        match self.client.by_id(id).await {
            Ok(schema) => {
                let contract = Arc::new(RegisteredContract::load(&self.client, schema).await?);
                let mut known = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
                known.insert(id, contract);
                Ok(())
            }
            Err(LookupError::Unknown(reason)) => {
                let mut unknown = self.unknown.write().unwrap_or_else(PoisonError::into_inner);
                if unknown.len() >= MOST_UNKNOWN {
                    unknown.clear();
                }
                unknown.insert(id, (Instant::now(), reason));
                Ok(())
            }
            Err(LookupError::Outage(cause)) => Err(Failure::Retry(cause)),
        }
    }

    /// The subject's version, from the cache or from the registry. An unknown one is a mistake in the configuration
    /// or a schema that somebody has yet to register: no record's fault.
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
        let contract = Arc::new(RegisteredContract::load(&self.client, schema).await?);
        let mut known = self
            .by_version
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert((subject.to_owned(), version), Arc::clone(&contract));
        Ok(contract)
    }
}
