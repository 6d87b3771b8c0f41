//! The cache of registry schemas. The schema of an id never changes, so it is cached for good; unusable ids are cached for a
//! minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, Failure};
use parking_lot::RwLock;

use super::client::{Client, LookupError, Posted, RegisteredSchema};
use super::interrupted::Interrupted;
use super::loaded_schema::LoadError;
use super::unusable::{Unusable, UnusableIds};
use super::{LoadedSchema, SchemaNeeded, Wanted};
use crate::config::{Format, RegistryConfig, RegistryVersion};

/// Cached schemas. More than this means that a producer enumerates ids.
const MOST_KNOWN: usize = 10_000;
/// The interval at which a request that takes longer is logged.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// The registry with its cache, shared by all decoders and encoders of a process.
pub(crate) struct Registry {
    client: Client,
    by_id: RwLock<HashMap<u32, Arc<LoadedSchema>>>,
    unusable: UnusableIds,
    interrupted: Interrupted,
    by_version: RwLock<HashMap<(String, RegistryVersion), Arc<LoadedSchema>>>,
    silent_for: Duration,
}

/// The state of an id in the cache.
pub(crate) enum CachedSchema {
    Known(Arc<LoadedSchema>),
    /// As of less than a minute ago, the registry does not know the id, or its schema does not compile.
    Unusable(Unusable),
    Missing,
}

impl Registry {
    pub(crate) fn new(config: &RegistryConfig) -> Result<Registry, Cause> {
        Ok(Registry {
            client: Client::new(config)?,
            by_id: RwLock::default(),
            unusable: UnusableIds::default(),
            interrupted: Interrupted::default(),
            by_version: RwLock::default(),
            silent_for: SILENT_FOR,
        })
    }

    pub(crate) fn by_id(&self, id: u32) -> CachedSchema {
        let known = self.by_id.read();
        if let Some(contract) = known.get(&id) {
            return CachedSchema::Known(Arc::clone(contract));
        }
        self.unusable
            .get(id)
            .map_or(CachedSchema::Missing, CachedSchema::Unusable)
    }

    pub(crate) fn by_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Option<Arc<LoadedSchema>> {
        let known = self.by_version.read();
        known.get(&(subject.to_owned(), version)).cloned()
    }

    /// Asks the registry. `Ok` means that the cache now has an answer, possibly "unusable".
    pub(crate) async fn fetch(&self, needed: &SchemaNeeded) -> Result<(), Failure> {
        let fetched = self.fetch_wanted(&needed.0);
        announced(self.silent_for, fetched, |waited| {
            tracing::warn!(
                event = "registry_slow",
                waited_s = waited.as_secs(),
                "the schema registry has not responded yet: {needed}"
            );
        })
        .await
    }

    async fn fetch_wanted(&self, wanted: &Wanted) -> Result<(), Failure> {
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
        tokio::time::sleep(self.unusable.delay(Instant::now())).await;
        let unusable = match self.client.by_id(id).await {
            Ok(schema) => match self.load(id, schema).await {
                Ok(contract) => {
                    let mut known = self.by_id.write();
                    if known.len() >= MOST_KNOWN {
                        known.clear();
                    }
                    known.insert(id, Arc::new(contract));
                    return Ok(());
                }
                Err(LoadError::Outage(cause)) => return Err(Failure::Retry(cause)),
                Err(LoadError::Unusable(unusable)) => unusable,
            },
            Err(LookupError::Outage(cause)) => return Err(Failure::Retry(cause)),
            Err(LookupError::Unknown(reason)) => Unusable::without_schema(format!(
                "schema id {id} is unknown to the registry: {reason}"
            )),
            Err(LookupError::TooLong(reason)) => {
                Unusable::without_schema(format!("schema id {id} is not read: {reason}"))
            }
        };
        self.unusable.add(id, unusable, Instant::now());
        Ok(())
    }

    async fn load(&self, id: u32, schema: RegisteredSchema) -> Result<LoadedSchema, LoadError> {
        LoadedSchema::load(&self.client, &self.interrupted, id, schema).await
    }

    /// The subject's version, from the cache or from the registry. The configuration names it, so a version that is unknown or
    /// does not compile is fatal and not a record's fault.
    pub(crate) async fn fetch_version(
        &self,
        subject: &str,
        version: RegistryVersion,
    ) -> Result<Arc<LoadedSchema>, Failure> {
        if let Some(contract) = self.by_version(subject, version) {
            return Ok(contract);
        }
        let schema = match self.client.by_version(subject, version).await {
            Ok(schema) => schema,
            Err(LookupError::Outage(cause)) => return Err(Failure::Retry(cause)),
            Err(LookupError::Unknown(reason) | LookupError::TooLong(reason)) => {
                let message = format!(
                    "the schema registry has no version {version} of the subject {subject}: {reason}"
                );
                let help = "register the schema, or name another `subject` or `version`";
                return Err(Failure::Fatal(Cause::new(message).with_help(help)));
            }
        };
        let Some(id) = schema.id else {
            return Err(Failure::Retry(Cause::new(format!(
                "the schema registry's response for version {version} of the subject {subject} has no `id`"
            ))));
        };
        let contract = match self.load(id, schema).await {
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

    /// The id of our schema under its subject. It is registered if `register`, otherwise the subject must have it.
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
            LookupError::Unknown(reason) | LookupError::TooLong(reason) if register => {
                Failure::Fatal(
                    Cause::new(format!(
                        "the schema registry refuses the schema as a version of {subject}: {reason}"
                    ))
                    .with_help(
                        "change `write_schema` so that it is compatible, or name another `subject`",
                    ),
                )
            }
            LookupError::Unknown(reason) | LookupError::TooLong(reason) => Failure::Fatal(
                Cause::new(format!(
                    "the schema registry does not have the schema under {subject}: {reason}"
                ))
                .with_help("register it, or write `auto_register = true` in `registry`"),
            ),
        })
    }
}

/// Whether the schema that the configuration names has the format that it names.
pub(crate) fn fits(contract: &LoadedSchema, format: Format) -> Result<(), Failure> {
    if contract.codec(format.entry()).is_some() {
        return Ok(());
    }
    Err(Failure::Fatal(Cause::new(format!(
        "{} is a schema of type {}, but `format` is \"{}\"",
        contract.name,
        contract.type_name(),
        format.name(),
    ))))
}

/// Calls `announce` with the elapsed time, at intervals of `every`, until `work` is done.
async fn announced<T>(
    every: Duration,
    work: impl Future<Output = T>,
    mut announce: impl FnMut(Duration),
) -> T {
    let start = Instant::now();
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(every, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => announce(start.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_long_request_is_announced_until_it_is_answered() {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let mut answer = Some(answer);
        let mut waits = Vec::new();
        let done = announced(Duration::from_millis(1), answered, |waited| {
            waits.push(waited);
            if waits.len() == 3 {
                answer
                    .take()
                    .expect("sent once")
                    .send("schema")
                    .expect("awaited");
            }
        });
        assert_eq!(done.await, Ok("schema"));
        assert!(waits.len() >= 3 && waits.is_sorted(), "{waits:?}");
        let at_once = announced(SILENT_FOR, async { 7 }, |_| {
            unreachable!("nothing is waited for")
        });
        assert_eq!(at_once.await, 7);
    }

    /// Keeps what is logged, level by level. The default level is INFO.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<String>>>);

    impl tracing::Subscriber for Logged {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::INFO
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut line = event.metadata().level().to_string();
            event.record(
                &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                    line += &format!(" {field}={value:?}");
                },
            );
            self.0.lock().push(line);
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    /// A registry that accepts connections and never responds.
    #[tokio::test]
    async fn a_registry_that_does_not_respond_is_logged_repeatedly_with_the_schema_that_is_waited_for()
     {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = silent.local_addr().expect("an address");
        let config = serde_json::json!({"url": format!("http://{address}"), "timeout": "300ms"});
        let config = serde_json::from_value(config).expect("a configuration");
        let mut registry = Registry::new(&config).expect("a client");
        registry.silent_for = Duration::from_millis(100);
        let logged = Logged::default();
        let _logs = tracing::subscriber::set_default(logged.clone());
        let fetched = registry.fetch(&SchemaNeeded(Wanted::Id(7))).await;
        assert!(matches!(fetched, Err(Failure::Retry(_))), "{fetched:?}");
        let lines = logged.0.lock().clone();
        let slow: Vec<&String> = lines
            .iter()
            .filter(|line| line.contains("registry_slow"))
            .collect();
        assert!(slow.len() >= 2, "{lines:?}");
        for line in slow {
            assert!(line.starts_with("WARN"), "{line}");
            assert!(
                line.contains("has not responded yet: schema id 7"),
                "{line}"
            );
        }
    }
}
