//! Good files become what they mean.

use super::*;
use connect_api::StartAt;

use crate::*;

const SINK: &str = r##"
name = "pos-to-warehouse"
topics = ["PointOfSale"]
tasks = "${env:TASKS}"
start = 2026-11-20T00:00:00Z

[value]
schema = "../schemas/sale.json"

[[transforms]]
type = "set"
field = "$.a"
from = "#timestamp"
when = "value.total > 100.0"

[[sinks]]
type = "warehouse"
url = "${env:DATABASE_URL}"
pooler = "${env:YES}"
migrations = "../migrations"

[[sinks.tables]]
table = "sales"
mode = "upsert"
key = ["id"]
columns = { id = "$.id", sold_at = { path = "$.at", unit = "s" } }

[batch]
max_records = 100

[errors]
tolerance = "all"
dead_letter_topic = "PointOfSale.dlq"
stop_after = { rejects = 100, in_last = 1000 }

[create_topics]
partitions = 6
"##;

const SOURCE: &str = r##"
topic = "PointOfSale"
key = "$.id"
[source]
type = "clock"
every = "1s"
"##;

const PROCESS: &str = r##"
[kafka]
bootstrap.servers = "kafka:9092"
security.protocol = "SASL_SSL"
"socket.keepalive.enable" = true
[http]
address = "off"
[defaults.batch]
max_records = 7
linger = "1s"
[defaults.errors]
tolerance = "all"
dead_letter_topic = "letters"
"##;

fn good() -> Folder {
    Folder::new(&[
        ("connectors.d/a.toml", SINK),
        ("connectors.d/clock.toml", SOURCE),
        ("connect.toml", PROCESS),
        ("schemas/sale.json", "{\"type\": \"object\"}"),
        ("migrations/1.sql", ""),
    ])
}

#[test]
fn every_key_arrives() {
    let loaded = good().load(Mode::Run);
    assert!(
        loaded.findings.is_empty(),
        "{}",
        loaded.findings.draw(false)
    );
    assert_eq!(loaded.contracts, 1);
    let connector = loaded.connector("pos-to-warehouse").unwrap();
    let ConnectorKind::Sink(sink) = &connector.kind else {
        panic!("{connector:?}");
    };
    assert!(matches!(&sink.topics, Topics::Named(names) if names == &["PointOfSale"]));
    let midnight = "2026-11-20T00:00:00Z".parse().map(StartAt::Time).unwrap();
    assert_eq!((sink.tasks, sink.sinks[0].start), (4, Some(midnight)));
    assert!(sink.value.schema.as_ref().unwrap().as_path().is_absolute());
    assert_eq!(
        (sink.transforms[0].kind, &*sink.sinks[0].name),
        ("set", "warehouse")
    );
    assert!(sink.transforms[0].when.is_some() && sink.sinks[0].when.is_none());
    let batch = BatchConfig {
        max_records: 100,
        linger: connect_api::Duration::from_millis(1000),
        ..BatchConfig::default()
    };
    assert_eq!(sink.batch, batch);
    assert_eq!(
        sink.errors.dead_letter_topic.as_deref(),
        Some("PointOfSale.dlq")
    );
    assert_eq!(
        sink.errors.stop_after,
        StopAfter::Rejects {
            rejects: 100,
            in_last: 1000
        }
    );
    assert_eq!(sink.create_topics.as_ref().unwrap().partitions, 6);
}

#[test]
fn defaults_of_the_process_are_inherited() {
    let loaded = good().load(Mode::Run);
    let connector = loaded.connector("clock").unwrap();
    let ConnectorKind::Source(source) = &connector.kind else {
        panic!("{connector:?}");
    };
    assert_eq!(
        (source.source.kind, source.topic.as_str()),
        ("clock", "PointOfSale")
    );
    assert_eq!(source.errors.tolerance, Tolerance::All);
    assert_eq!(source.errors.stop_after, StopAfter::AllOfFirst(100));
    assert_eq!(source.errors.dead_letter_topic.as_deref(), Some("letters"));
    let process = &loaded.process;
    assert_eq!(process.bootstrap_servers, "kafka:9092");
    let kafka: Vec<_> = process
        .kafka
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    assert_eq!(
        kafka,
        [
            ("security.protocol", "SASL_SSL"),
            ("socket.keepalive.enable", "true")
        ]
    );
    assert_eq!(process.http.address, crate::HttpAddress::Off);
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let loaded = good().load(Mode::Run);
    assert!(!format!("{loaded:?}").contains("hunter2"), "{loaded:?}");
}

#[test]
fn a_regular_expression_reads_topics_whose_whole_name_matches() {
    let topics = Topics::Pattern(connect_api::Pattern::parse("orders|returns").unwrap());
    for (topic, expected) in [
        ("orders", true),
        ("returns", true),
        ("orders.dlq", false),
        ("my-orders", false),
    ] {
        assert_eq!(topics.contains(topic), expected, "{topic}");
    }
}

/// The reader cuts at `max_bytes` alone, so the limit that `check` draws is what keeps a task within `in_flight`.
#[test]
fn a_batch_may_be_a_sixth_of_what_is_in_flight() {
    let of = |max_bytes: &str, in_flight: &str| {
        format!("[batch]\nmax_bytes = \"{max_bytes}\"\nin_flight = \"{in_flight}\"")
    };
    let explained = crate::codes::BATCH_MEMORY;
    let cases = [
        ("six batches fit exactly", of("1MiB", "6MiB"), true),
        ("one byte more", of("1048577B", "6MiB"), false),
        ("a quarter", of("8MiB", "32MiB"), false),
        ("more than a size can count", of("4EiB", "15EiB"), false),
        (
            "the explanation's example",
            explained.example.to_owned(),
            false,
        ),
        ("the explanation's fix", explained.fix.to_owned(), true),
    ];
    for (case, batch, fits) in cases {
        let text = format!("topics = [\"a\"]\n{batch}\n[[sinks]]\ntype = \"print\"\n");
        let loaded = Folder::new(&[("connectors.d/a.toml", &text)]).load(Mode::Check);
        assert_eq!(!loaded.findings.has_errors(), fits, "{case}");
    }
}
