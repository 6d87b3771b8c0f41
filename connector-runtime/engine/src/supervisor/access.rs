//! Access to Kafka and the schema registry. While one of them refuses a password, or its certificate is refused, `connect.toml`
//! and the files that it names are reread, as a connector's own file is.
//!
//! A client keeps the settings with which it was created. So the connectors that wait restart with new clients. The others keep
//! their sessions, and restart when they are refused as well.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connect_api::Cause;
use connect_config::ProcessConfig;
use connect_contracts::Contracts;
use connect_kafka::Admin;
use parking_lot::RwLock;

use crate::cluster::{Cluster, client_settings};
use crate::status::Meters;

/// Rereads the settings of the process. `None`: their file does not exist any more, or has errors.
pub type Reread = Arc<dyn Fn() -> Option<ProcessConfig> + Send + Sync>;

/// How often files are read while access is refused.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How soon a connector that is refused notices new settings.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Access {
    pub(crate) cluster: Cluster,
    contracts: RwLock<Contracts>,
    /// How often the settings were replaced.
    version: AtomicU64,
}

impl Access {
    pub(crate) fn new(cluster: Cluster, contracts: Contracts) -> Access {
        Access {
            cluster,
            contracts: RwLock::new(contracts),
            version: AtomicU64::new(0),
        }
    }

    /// The contracts and the client of the schema registry as they are now.
    pub(crate) fn contracts(&self) -> Contracts {
        self.contracts.read().clone()
    }

    /// The version of the settings with which a run starts.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns when the connector is refused with the settings of this version and newer settings exist.
    pub(crate) async fn renewed(&self, version: u64, meters: &Meters) {
        while self.version() == version || !meters.is_refused() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Rereads the settings while a connector is refused; never returns. `known`: the settings at the start.
    pub(crate) async fn keep_fresh(
        self: Arc<Self>,
        reread: Reread,
        meters: Vec<Meters>,
        mut known: AccessHash,
    ) {
        loop {
            tokio::time::sleep(READ_EVERY).await;
            if !meters.iter().any(Meters::is_refused) {
                continue;
            }
            let (access, reread) = (self.clone(), reread.clone());
            let renewed =
                tokio::task::spawn_blocking(move || access.read_again(&reread, known)).await;
            if let Ok(Some(renewed)) = renewed {
                known = renewed;
            }
        }
    }

    /// Replaces the settings if they have changed.
    fn read_again(&self, reread: &Reread, known: AccessHash) -> Option<AccessHash> {
        let process = reread()?;
        let fingerprint = AccessHash::of(&process);
        if fingerprint == known {
            return None;
        }
        match self.replace(&process) {
            Ok(()) => tracing::info!(
                event = "access_renewed",
                "connect.toml or a file that it names has changed: connectors that wait for Kafka or the registry are started again with it"
            ),
            Err(cause) => tracing::warn!(event = "access_not_renewed", %cause),
        }
        Some(fingerprint)
    }

    fn replace(&self, process: &ProcessConfig) -> Result<(), Cause> {
        let settings = client_settings(process)?;
        let admin = Admin::open(&settings)?;
        let contracts = Contracts::new(process.registry.as_ref())?;
        self.cluster.replace_clients(settings, admin);
        *self.contracts.write() = contracts;
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

/// A digest of the settings and of the content of the files that they name: a certificate is replaced under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccessHash(u64);

impl AccessHash {
    pub(crate) fn of(process: &ProcessConfig) -> AccessHash {
        let mut hasher = DefaultHasher::new();
        process.bootstrap_servers.hash(&mut hasher);
        for (name, value) in &process.kafka {
            (name, value.expose()).hash(&mut hasher);
            if name.ends_with(".location") {
                hash_file(Path::new(value.expose()), &mut hasher);
            }
        }
        if let Some(registry) = &process.registry {
            let password = registry.password.as_ref().map(|password| password.expose());
            (&registry.url, &registry.username, password).hash(&mut hasher);
            if let Some(file) = &registry.ca_file {
                hash_file(file.as_path(), &mut hasher);
            }
        }
        AccessHash(hasher.finish())
    }
}

fn hash_file(path: &Path, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    std::fs::read(path).ok().hash(hasher);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use connect_api::Secret;
    use connect_kafka::ClientSettings;

    use super::*;

    fn process(kafka: &[(&str, &str)]) -> ProcessConfig {
        let setting =
            |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::parse(value).unwrap());
        ProcessConfig {
            file: None,
            bootstrap_servers: "localhost:1".to_owned(),
            servers_are_default: false,
            kafka: kafka.iter().map(setting).collect::<BTreeMap<_, _>>(),
            registry: None,
            http: connect_config::HttpConfig::default(),
        }
    }

    #[test]
    fn settings_and_the_files_that_they_name_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let ca = file.to_str().unwrap();
        std::fs::write(&file, "one").unwrap();
        let user = AccessHash::of(&process(&[("sasl.username", "a")]));
        assert_eq!(user, AccessHash::of(&process(&[("sasl.username", "a")])));
        assert_ne!(user, AccessHash::of(&process(&[("sasl.username", "b")])));
        assert_ne!(user, AccessHash::of(&process(&[("sasl.password", "a")])));
        let first = AccessHash::of(&process(&[("ssl.ca.location", ca)]));
        assert_eq!(first, AccessHash::of(&process(&[("ssl.ca.location", ca)])));
        std::fs::write(&file, "two").unwrap();
        assert_ne!(first, AccessHash::of(&process(&[("ssl.ca.location", ca)])));
    }

    /// Only changed settings replace clients, and only refused connectors restart.
    #[tokio::test(start_paused = true)]
    async fn new_settings_are_for_connectors_that_are_refused() {
        let old = process(&[]);
        let settings = client_settings(&old).unwrap();
        let admin = Admin::open(&settings).unwrap();
        let cluster = Cluster::new(settings, admin, None);
        let access = Access::new(cluster.clone(), Contracts::new(None).unwrap());
        let known = AccessHash::of(&old);
        let same: Reread = Arc::new(|| Some(process(&[])));
        let broken: Reread = Arc::new(|| None);
        let changed: Reread = Arc::new(|| Some(process(&[("client.rack", "b")])));
        assert_eq!(access.read_again(&same, known), None);
        assert_eq!(access.read_again(&broken, known), None);
        assert_eq!(access.version(), 0);
        let debug = |settings: ClientSettings| format!("{settings:?}");
        assert!(
            access
                .read_again(&changed, known)
                .is_some_and(|new| new != known)
        );
        assert_eq!(access.version(), 1);
        assert!(debug(cluster.settings()).contains("client.rack"));

        let meters = crate::status::Meters::new(
            "c".into(),
            "sink",
            "p",
            connect_api::Guarantee::AtLeastOnce,
            1,
        );
        let waiter = crate::status::Waiter::default();
        let pause = Duration::from_secs(60);
        let renewed = || tokio::time::timeout(pause, access.renewed(0, &meters));
        assert!(renewed().await.is_err(), "it works as it is");
        let outage = Cause::new("down").with_dependency(connect_api::Dependency::Kafka);
        meters.waiting(waiter, &outage, None);
        assert!(renewed().await.is_err(), "an outage");
        let refused = Cause::new("no").with_dependency(connect_api::Dependency::Credentials);
        meters.waiting(waiter, &refused, None);
        assert!(renewed().await.is_ok());
        let current = tokio::time::timeout(pause, access.renewed(1, &meters));
        assert!(current.await.is_err(), "it has the newest");
    }
}
