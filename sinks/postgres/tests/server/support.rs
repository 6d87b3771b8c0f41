//! A database of its own for each test, and short ways to write to it.

use std::sync::Arc;

use bytes::Bytes;
pub(crate) use connect_api::ProgressStore;
use connect_api::{
    Batch, Cause, Contract, ContractCompiler, Counter, Failure, JsonLimits, Key, Origin, Progress,
    Publisher, PublisherFactory, Record, SchemaFile, Sink, SinkContext, SinkPlugin, TopicPartition,
    Value, async_trait,
};
use connect_sink_postgres::{Config, Postgres, PostgresSink};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};

/// The server's superuser URL, which `dev/test` sets.
#[expect(
    clippy::disallowed_methods,
    reason = "dev/test says where the servers are"
)]
fn server() -> String {
    std::env::var("CONNECT_TEST_POSTGRES").expect(
        "CONNECT_TEST_POSTGRES is not set: it is the URL of a superuser of a PostgreSQL made for tests; dev/test sets it",
    )
}

/// A database that this test made and drops again.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) connection: PgConnection,
    left_behind: LeftBehind,
}

/// What a test that fails leaves to its end: on a thread of its own, because the test's runtime is in the middle of a panic.
struct LeftBehind(Option<String>);

impl Drop for LeftBehind {
    fn drop(&mut self) {
        let Some(name) = self.0.take() else { return };
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(drop_database(&name));
        });
        // The test's own failure is the news.
        let _ = dropping.join();
    }
}

/// Drops the database, after making sure that it is one of ours.
async fn drop_database(name: &str) {
    let mut admin = connect(&server()).await;
    let marker: Option<String> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(name)
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!(name.starts_with("connect_test_") && marker.as_deref() == Some(MARKER));
    admin
        .execute(format!("DROP DATABASE {name} WITH (FORCE)").as_str())
        .await
        .unwrap();
}

const MARKER: &str = "made by a test of connect";

impl Database {
    pub(crate) async fn new(tables: &str) -> Database {
        let name = format!("connect_test_{}", uuid::Uuid::new_v4().simple());
        let mut admin = connect(&server()).await;
        admin
            .execute(format!("CREATE DATABASE {name}").as_str())
            .await
            .unwrap();
        admin
            .execute(format!("COMMENT ON DATABASE {name} IS '{MARKER}'").as_str())
            .await
            .unwrap();
        let options: PgConnectOptions = server().parse().unwrap();
        let mut connection = options
            .database(&name)
            .disable_statement_logging()
            .connect()
            .await
            .unwrap();
        connection.execute(tables).await.unwrap();
        Database {
            left_behind: LeftBehind(Some(name.clone())),
            name,
            connection,
        }
    }

    /// The URL of this database, at the server or at another port in front of it.
    pub(crate) fn url_at(&self, port: Option<u16>) -> String {
        let url = server();
        let (start, _) = url.rsplit_once('/').unwrap();
        match port {
            None => format!("{start}/{}", self.name),
            Some(port) => {
                let (before, _) = start.rsplit_once(':').unwrap();
                format!("{before}:{port}/{}", self.name)
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(None)
    }

    /// One value of a query, as text.
    pub(crate) async fn text(&mut self, sql: &str) -> String {
        let rows = self.lines(sql).await;
        rows.join("\n")
    }

    /// The rows of a query with one column of text.
    pub(crate) async fn lines(&mut self, sql: &str) -> Vec<String> {
        let wrapped = format!("SELECT coalesce((q.*)::text, '') FROM ({sql}) AS q");
        let rows = self.connection.fetch_all(wrapped.as_str()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    }

    pub(crate) async fn run(&mut self, sql: &str) {
        self.connection.execute(sql).await.unwrap();
    }

    pub(crate) async fn drop(mut self) {
        self.left_behind.0 = None;
        self.connection.close().await.unwrap();
        drop_database(&self.name).await;
    }
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}

/// The address of the server, for a proxy.
pub(crate) fn server_address() -> String {
    let url = server();
    let (_, host) = url.split_once('@').unwrap();
    host.split('/').next().unwrap().to_owned()
}

struct Nothing;

#[async_trait]
impl PublisherFactory for Nothing {
    async fn publisher(&self, _: &[Arc<str>]) -> Result<Box<dyn Publisher>, Failure> {
        Err(Failure::Fatal(Cause::new("no publisher in this test")))
    }
}

impl ContractCompiler for Nothing {
    fn compile(&self, _: &SchemaFile) -> Result<Arc<dyn Contract>, Cause> {
        Err(Cause::new("no contracts in this test"))
    }
}

pub(crate) fn context(connector: &str) -> SinkContext {
    SinkContext {
        connector: connector.into(),
        sink: "postgres".into(),
        task: 0,
        cluster_id: "cluster".into(),
        rows_written: Counter::default(),
        publishers: Arc::new(Nothing),
        contracts: Arc::new(Nothing),
        encoders: Arc::new(connect_testkit::NoFormats),
    }
}

/// A configuration from TOML without its URL.
pub(crate) fn config(url: &str, toml: &str) -> Config {
    let mut table: serde_json::Value = toml::from_str(toml).unwrap();
    table["url"] = url.into();
    serde_json::from_value(table).unwrap()
}

pub(crate) async fn open(url: &str, toml: &str) -> PostgresSink {
    try_open(url, toml).await.unwrap()
}

pub(crate) async fn try_open(url: &str, toml: &str) -> Result<PostgresSink, Failure> {
    Postgres::open(&config(url, toml), context("test")).await
}

pub(crate) fn partition(number: i32) -> TopicPartition {
    TopicPartition {
        topic: "sales".into(),
        partition: number,
    }
}

/// A record of partition 0 with this JSON value; `None` is a tombstone.
pub(crate) fn record(offset: i64, key: Option<&str>, value: Option<&str>) -> Record {
    let parse = |text: &str| {
        Value::parse_json(Bytes::from(text.to_owned()), JsonLimits::default()).unwrap()
    };
    Record {
        origin: Arc::new(Origin {
            topic: "sales".into(),
            partition: 0,
            offset,
            timestamp_ms: Some(1_763_670_919_042),
            ..Origin::default()
        }),
        key: key.map_or(Key::Absent, |key| Key::Decoded(parse(key))),
        value: value.map(parse),
        ordinal: 0,
        routed_topic: None,
    }
}

pub(crate) fn records(values: &[&str]) -> Vec<Record> {
    values
        .iter()
        .enumerate()
        .map(|(offset, value)| record(offset as i64, None, Some(value)))
        .collect()
}

/// A batch of these records, which moves partition 0 from `expected` by their number.
pub(crate) fn batch(records: &[Record], expected: i64) -> Batch<'_> {
    let next = expected + records.len() as i64;
    batch_of(records.iter().collect(), 0, expected, next)
}

pub(crate) fn batch_of(records: Vec<&Record>, number: i32, expected: i64, next: i64) -> Batch<'_> {
    let progress = Progress {
        partition: partition(number),
        expected,
        next,
        last_timestamp_ms: Some(1_763_670_919_042),
    };
    Batch::new(records, vec![progress])
}

/// Opens, resumes partition 0, writes the values as one batch and closes.
pub(crate) async fn write_all(url: &str, toml: &str, values: &[&str]) -> Result<(), Failure> {
    let mut sink = try_open(url, toml).await?;
    let expected = match sink.resume(&[partition(0)]).await?.as_slice() {
        [Some(offset)] => *offset,
        _ => 0,
    };
    let records = records(values);
    sink.write(&batch(&records, expected)).await?;
    sink.close().await
}

/// As the engine does: named refusals are taken out, unknown ones are found by halves, each a whole write.
pub(crate) async fn bisect(
    sink: &mut PostgresSink,
    mut list: Vec<&Record>,
    (first, last): (i64, i64),
    refused: &mut Vec<(i64, Cause)>,
) {
    loop {
        let progress = batch_of(Vec::new(), 0, first, last).progress;
        let records = list.clone();
        match sink.write(&Batch::new(records, progress)).await {
            Ok(_) => return,
            Err(Failure::Refused(refusals)) => {
                for refusal in refusals.into_iter().rev() {
                    refused.push((list.remove(refusal.record).origin.offset, refusal.cause));
                }
            }
            Err(Failure::RefusedSomewhere(cause)) if list.len() == 1 => {
                refused.push((list.remove(0).origin.offset, cause));
            }
            Err(Failure::RefusedSomewhere(_)) => {
                let right = list.split_off(list.len() / 2);
                let middle = right[0].origin.offset;
                Box::pin(bisect(sink, list, (first, middle), refused)).await;
                Box::pin(bisect(sink, right, (middle, last), refused)).await;
                return;
            }
            Err(Failure::Retry(cause)) if cause.to_string().contains("attempts") => {}
            Err(other) => panic!("{other}"),
        }
    }
}
