//! The neighbours: sinks into PostgreSQL under a steady load, and a source.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use connect_tests::checker::{Evidence, Verdict};
use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::SteadyLoad;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, http};

use crate::{FAULTY, payments};

/// The deadline for neighbours to make progress, whatever happens to others.
const SOON: Duration = Duration::from_secs(20);

/// Neighbours, and the folder for faulty connectors in the same process.
pub(super) struct Scene {
    folder: Folder,
    database: Database,
    sinks: Vec<Topic>,
    loads: Mutex<Vec<SteadyLoad>>,
    source: Topic,
    port: u16,
}

impl Scene {
    pub(super) async fn new() -> Scene {
        let processors = std::thread::available_parallelism().unwrap().get();
        let (folder, database) = (payments::folder(), payments::database().await);
        let (mut sinks, mut loads) = (Vec::new(), Vec::new());
        for _ in 0..=processors {
            let topic = Topic::create("neighbour", 2).await;
            folder.connector(topic.name(), payments::connector(&topic, "", ""));
            loads.push(SteadyLoad::start(&topic, 2, 200.0));
            sinks.push(topic);
        }
        let source = Topic::create("neighbour-source", 1).await;
        let simulator = format!(
            "topic = \"{}\"\n[source]\ntype = \"pos_simulator\"\nrate = 200\n",
            source.name()
        );
        folder.connector(source.name(), simulator);
        Scene {
            folder,
            database,
            sinks,
            loads: Mutex::new(loads),
            source,
            port: http::free_port(),
        }
    }

    /// Adds a connector to the process of the neighbours.
    pub(super) fn add(&self, name: &str, toml: &str) {
        self.folder.connector(name, toml);
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn start(&self) -> ConnectProcess {
        Launch::run(&self.folder)
            .program(FAULTY)
            .database(self.database.url())
            .argument(format!("--http=127.0.0.1:{}", self.port))
            .start()
    }

    /// The delivered records of each neighbour in this process: the sinks, then the source.
    async fn delivered(&self) -> Option<Vec<u64>> {
        let mut delivered = Vec::new();
        for topic in self.sinks.iter().chain([&self.source]) {
            let connector = http::connector(self.port, topic.name()).await?;
            assert_eq!(connector["state"], "RUNNING", "{connector}");
            delivered.push(connector["records"]["delivered"].as_u64()?);
        }
        Some(delivered)
    }

    /// Checks that every neighbour makes progress and that HTTP responds.
    pub(super) async fn goes_on(&self) {
        let before = eventually("/connectors answers", SOON, async || self.delivered().await).await;
        eventually("every neighbour delivers on", SOON, async || {
            let now = self.delivered().await?;
            let moved = before.iter().zip(&now);
            moved
                .into_iter()
                .all(|(before, now)| *now >= before + 500)
                .then_some(())
        })
        .await;
        let live = http::get(self.port, "/livez").await;
        assert_eq!(live, "ok\n");
        let metrics = http::get(self.port, "/metrics").await;
        for topic in &self.sinks {
            let sample = format!(
                "connect_records_delivered_total{{connector=\"{}\"",
                topic.name()
            );
            assert!(metrics.contains(&sample), "{sample} is missing\n{metrics}");
        }
    }

    /// Ends the load and checks that every record arrived once and in order.
    pub(super) async fn has_delivered_everything(&self) {
        let loads = std::mem::take(&mut *self.loads.lock().unwrap());
        for (topic, load) in self.sinks.iter().zip(loads) {
            let ledger = load.stop().await;
            let rows = format!(
                "SELECT count(*) FROM payments WHERE topic = '{}'",
                topic.name()
            );
            let expected = i64::try_from(ledger.len()).unwrap();
            eventually(
                &format!("{expected} rows of {}", topic.name()),
                payments::SETTLED,
                async || (self.database.try_number(&rows).await? >= expected).then_some(()),
            )
            .await;
            let rows = payments::rows_of(&self.database, topic).await;
            let evidence = Evidence {
                rows,
                ..Evidence::default()
            };
            Verdict::reconcile(&ledger, &evidence).assert_clean();
        }
    }

    /// Removes the database.
    pub(super) async fn end(self) {
        self.database.remove().await;
    }
}
