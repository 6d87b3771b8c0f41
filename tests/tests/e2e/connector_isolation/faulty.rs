//! Connectors that are faulty while a file exists, and that must deliver everything afterwards.

use std::path::{Path, PathBuf};

use connect_tests::checker::{Digest, Entry, Evidence, Ledger, Place, Verdict};
use connect_tests::kafka::{Isolation, Message, Topic};
use connect_tests::load::produce_payments;
use connect_tests::process::ConnectProcess;
use connect_tests::sink_lines::Written;
use connect_tests::{eventually, http};
use serde_json::Value;

use super::scene::Scene;
use crate::payments;

const RECORDS: usize = 1_000;

/// A faulty connector. Connector and topic have the same name.
pub(super) struct Bad {
    topic: Topic,
    trigger: PathBuf,
    /// The file that a sink has written; a source has its topic.
    written: Option<PathBuf>,
}

/// One fault: the call of the plugin and its kind.
pub(super) struct Trouble<'a> {
    at: &'a str,
    how: &'a str,
    record: Option<&'a str>,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(at: &'a str, how: &'a str) -> Trouble<'a> {
        Trouble {
            at,
            how,
            record: None,
        }
    }

    /// Only for this record.
    pub(super) fn at_record(self, record: &'a str) -> Trouble<'a> {
        let record = Some(record);
        Trouble { record, ..self }
    }

    fn table(&self, trigger: &Path) -> String {
        let (at, how, trigger) = (self.at, self.how, trigger.display());
        let mut keys = format!("at = \"{at}\", how = \"{how}\", while_exists = \"{trigger}\"");
        if let Some(record) = self.record {
            keys += &format!(", record = \"{record}\"");
        }
        format!("{{ {keys} }}")
    }
}

impl Bad {
    /// A sink connector with a fault at this call.
    pub(super) async fn sink(scene: &Scene, at: &str, how: &str) -> Bad {
        let trouble = match at {
            "open" => Trouble::new(at, how),
            _ => Trouble::new(at, how).at_record("payment-300"),
        };
        Bad::sink_with(scene, 1, &[trouble]).await
    }

    /// A sink connector with several faults. Its records are produced before it starts.
    pub(super) async fn sink_with(scene: &Scene, tasks: u32, troubles: &[Trouble<'_>]) -> Bad {
        let words: Vec<String> = troubles
            .iter()
            .map(|trouble| format!("{}-{}", trouble.at, trouble.how))
            .collect();
        let topic = Topic::create(&format!("sink-{}", words.join("-")), 2).await;
        produce_payments(&topic, 2, RECORDS).await;
        let trigger = make_trigger(scene, &topic);
        let written = scene.path().join(format!("{}.written", topic.name()));
        let (transform, sink) = tables(troubles, &trigger);
        let toml = format!(
            "topics = [\"{}\"]\ntasks = {tasks}\n[value]\nformat = \"bytes\"\n[batch]\nmax_records = 100\n\
             {transform}[[sinks]]\ntype = \"faulty\"\nfile = \"{}\"\n{sink}",
            topic.name(),
            written.display()
        );
        scene.add(topic.name(), &toml);
        Bad {
            topic,
            trigger,
            written: Some(written),
        }
    }

    /// A source connector with a fault at this call.
    pub(super) fn source(scene: &Scene, at: &str, how: &str) -> Bad {
        let topic = Topic::not_created(&format!("source-{at}-{how}"));
        let trigger = make_trigger(scene, &topic);
        let trouble = match at {
            "open" | "commit" => Trouble::new(at, how),
            _ => Trouble::new(at, how).at_record("number-300"),
        };
        let (transform, source) = tables(&[trouble], &trigger);
        let toml = format!(
            "topic = \"{}\"\n[create_topics]\npartitions = 1\n{transform}\
             [source]\ntype = \"faulty\"\ncount = {RECORDS}\n{source}",
            topic.name()
        );
        scene.add(topic.name(), &toml);
        Bad {
            topic,
            trigger,
            written: None,
        }
    }

    /// A sink connector that cannot work until a person corrects its file.
    pub(super) async fn failing(scene: &Scene) -> Bad {
        let topic = Topic::create("sink-fails", 1).await;
        let toml = format!(
            "topics = [\"{}\"]\n[[sinks]]\ntype = \"faulty\"\nfile = \"/no/such/folder/file\"\n",
            topic.name()
        );
        scene.add(topic.name(), &toml);
        Bad {
            topic,
            trigger: PathBuf::new(),
            written: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.topic.name()
    }

    /// Removes the cause of the fault.
    pub(super) fn mend(&self) {
        std::fs::remove_file(&self.trigger).unwrap();
    }

    /// Waits for the fault.
    pub(super) async fn has_struck(&self) {
        let struck = self.trigger.with_extension("trigger.struck");
        let what = format!("{} goes wrong", self.name());
        eventually(&what, payments::SETTLED, async || {
            struck.exists().then_some(())
        })
        .await;
    }

    /// The waits before its first restarts, in milliseconds.
    pub(super) async fn delays(&self, process: &ConnectProcess, restarts: usize) -> Vec<u64> {
        let what = format!("{} is restarted {restarts} times", self.name());
        eventually(&what, payments::SETTLED, async || {
            let events = process.events("connector_restarting").into_iter();
            let own = events.filter(|event| event["connector"] == self.name());
            let delays = own.filter_map(|event| event["delay_ms"].as_u64());
            let first: Vec<u64> = delays.take(restarts).collect();
            (first.len() == restarts).then_some(first)
        })
        .await
    }

    /// Waits for this state and returns the connector of `GET /connectors`.
    pub(super) async fn is(&self, state: &str, scene: &Scene) -> Value {
        let what = format!("{} is {state}", self.name());
        eventually(&what, payments::SETTLED, async || {
            let connector = http::connector(scene.port(), self.name()).await?;
            (connector["state"] == state).then_some(connector)
        })
        .await
    }

    /// Waits until it is RESTARTING, with the reason and the time of the restart.
    pub(super) async fn is_restarting(&self, scene: &Scene) {
        let what = format!("{} says when it is started again", self.name());
        eventually(&what, payments::SETTLED, async || {
            let connector = self.is("RESTARTING", scene).await;
            let reason = &connector["reason"];
            let text = reason["text"].as_str()?;
            let panic = if self.name().contains("blame") {
                "a sink refuses only records of the batch"
            } else {
                "a panic caused by the test"
            };
            assert!(text.contains(panic), "{connector}");
            reason["again_at"].is_string().then_some(())
        })
        .await;
    }

    /// Checks that nothing was lost: a sink that writes to a file is at least once, a source exactly once.
    pub(super) async fn has_delivered_everything(&self) {
        match &self.written {
            Some(file) => self.sink_has_delivered_everything(file).await,
            None => self.source_has_delivered_everything().await,
        }
    }

    async fn sink_has_delivered_everything(&self, file: &Path) {
        let messages = self.topic.read(Isolation::Committed).await;
        let ledger: Ledger = messages.iter().map(|message| self.entry(message)).collect();
        assert_eq!(ledger.len(), RECORDS);
        let what = format!("{} delivers everything", self.name());
        let reconcile = || {
            let rows = Written::read(file).into_iter();
            let evidence = Evidence {
                rows: rows.map(|written| written.entry).collect(),
                ..Evidence::default()
            };
            Verdict::reconcile(&ledger, &evidence)
        };
        eventually(&what, payments::SETTLED, async || {
            reconcile().lost.is_empty().then_some(())
        })
        .await;
        reconcile().assert_at_least_once();
    }

    fn entry(&self, message: &Message) -> Entry {
        Entry::new(
            String::from_utf8_lossy(message.key.as_deref().unwrap()),
            Place::new(self.name(), message.partition, message.offset),
            Digest::of(message.value.as_deref().unwrap()),
        )
    }

    async fn source_has_delivered_everything(&self) {
        let what = format!("{} delivers everything", self.name());
        let messages = eventually(&what, payments::SETTLED, async || {
            let messages = self.topic.read(Isolation::Committed).await;
            (messages.len() >= RECORDS).then_some(messages)
        })
        .await;
        let keys = messages.iter().map(|message| message.key.clone().unwrap());
        let expected = (0..RECORDS).map(|number| format!("number-{number}").into_bytes());
        assert!(
            keys.eq(expected),
            "{}: not each once and in order",
            self.name()
        );
    }
}

fn make_trigger(scene: &Scene, topic: &Topic) -> PathBuf {
    let trigger = scene.path().join(format!("{}.trigger", topic.name()));
    std::fs::write(&trigger, "").unwrap();
    trigger
}

/// The table of the transform, and the key of the sink or source.
fn tables(troubles: &[Trouble<'_>], trigger: &Path) -> (String, String) {
    let (mut transform, mut plugin) = (String::new(), Vec::new());
    for trouble in troubles {
        let table = trouble.table(trigger);
        match trouble.at {
            "apply" => {
                transform = format!("[[transforms]]\ntype = \"faulty\"\ntroubles = [{table}]\n");
            }
            _ => plugin.push(table),
        }
    }
    (transform, format!("troubles = [{}]\n", plugin.join(", ")))
}
