//! The peer: Kafka Connect with Debezium's JDBC sink, tuned for speed as their documentation advises. It writes the
//! same topic to the same table, at least once. `dev/bench --peers` fetches it and sets its folder in
//! `CONNECT_BENCH_KAFKA_CONNECT`.

use std::time::{Duration, Instant};

use connect_tests::database::Database;
use connect_tests::eventually;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::process::Launch;
use connect_tests::{http, servers};

use crate::connector::Measured;
use crate::sale::COLUMNS;

const LONG: Duration = Duration::from_secs(900);

/// Whether this run measures it.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("CONNECT_BENCH_KAFKA_CONNECT").is_some()
}

fn program(topic: &Topic, database: &Database, mode: &str, tasks: u32, folder: &Folder) -> Launch {
    let home = std::env::var("CONNECT_BENCH_KAFKA_CONNECT").expect("the peer was fetched");
    let worker = format!(
        "bootstrap.servers={}\nlisteners=http://127.0.0.1:{}\noffset.storage.file.filename={}\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n\
         value.converter.schemas.enable=true\nvalue.converter.schema.content={}\n\
         plugin.discovery=service_load\noffset.flush.interval.ms=10000\n",
        servers::kafka(),
        http::free_port(),
        folder.path().join("offsets").display(),
        schema()
    );
    folder.file("worker.properties", worker);
    folder.file("sink.properties", sink(topic, database, mode, tasks));
    let mut launch = Launch::new(&[
        "-Xms256m",
        "-Xmx1g",
        "-XX:+UseG1GC",
        "-cp",
        &format!("{home}/*"),
        "org.apache.kafka.connect.cli.ConnectStandalone",
    ])
    .program("java");
    for name in ["worker.properties", "sink.properties"] {
        launch = launch.argument(folder.path().join(name));
    }
    launch
}

fn sink(topic: &Topic, database: &Database, mode: &str, tasks: u32) -> String {
    let url = reqwest::Url::parse(&database.url()).expect("a URL");
    let address = format!(
        "{}:{}{}",
        url.host_str().expect("a host"),
        url.port().unwrap_or(5432),
        url.path()
    );
    let (user, password) = (url.username(), url.password().unwrap_or_default());
    let key = if mode == "upsert" {
        "primary.key.mode=record_value\nprimary.key.fields=sale_id"
    } else {
        "primary.key.mode=none"
    };
    format!(
        "name={topic}-{mode}\nconnector.class=io.debezium.connector.jdbc.JdbcSinkConnector\n\
         tasks.max={tasks}\ntopics={topic}\ncollection.name.format=sales\nschema.evolution=none\n\
         connection.url=jdbc:postgresql://{address}?stringtype=unspecified&reWriteBatchedInserts=true\n\
         connection.username={user}\nconnection.password={password}\n\
         insert.mode={mode}\n{key}\nbatch.size=5000\n\
         consumer.override.max.poll.records=5000\nconsumer.override.auto.offset.reset=earliest\n",
        topic = topic.name()
    )
}

/// The schema of every record for JsonConverter (KIP-1054), on one line.
fn schema() -> String {
    let fields = COLUMNS.map(|(name, kind)| {
        let kind = match kind {
            "integer" => "int32",
            "bigint" => "int64",
            "boolean" => "boolean",
            kind if kind.starts_with("numeric") => "double",
            // Text, and times as text, which the server casts (stringtype=unspecified).
            _ => "string",
        };
        format!(r#"{{"field":"{name}","type":"{kind}","optional":false}}"#)
    });
    format!(
        r#"{{"type":"struct","optional":false,"fields":[{}]}}"#,
        fields.join(",")
    )
}

/// The inserted rows according to the server's statistics: at most a second late, and cheap.
async fn inserted(database: &Database) -> i64 {
    let rows = "SELECT coalesce(sum(n_tup_ins), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'sales'";
    database.try_number(rows).await.unwrap_or(0)
}

async fn reached(database: &Database, rows: i64) -> Instant {
    eventually(&format!("{rows} rows of the peer"), LONG, async || {
        (inserted(database).await >= rows).then(Instant::now)
    })
    .await
}

pub(crate) async fn measure(
    topic: &Topic,
    database: &Database,
    records: u64,
    mode: &str,
    tasks: u32,
) -> Measured {
    let folder = Folder::new();
    let total = i64::try_from(records).expect("not that many");
    let started = Instant::now();
    let mut process = program(topic, database, mode, tasks, &folder).start();
    let first_row = eventually("the peer's first row", LONG, async || {
        let rows = "SELECT count(*) FROM (SELECT FROM sales LIMIT 1) AS one";
        (database.try_number(rows).await == Some(1)).then(|| started.elapsed())
    })
    .await;
    let low = reached(database, total / 20).await;
    let low_rows = inserted(database).await;
    let high = reached(database, total / 20 * 19).await;
    let high_rows = inserted(database).await;
    reached(database, total).await;
    let cpu = process.cpu_seconds();
    let peak = process.memory_kib("VmHWM");
    process.stop(Duration::from_secs(60)).await;
    Measured {
        rows_a_second: (high_rows - low_rows) as f64 / (high - low).as_secs_f64(),
        cpu_seconds_a_million: cpu * 1e6 / records as f64,
        peak_mib: peak as f64 / 1024.0,
        first_row,
    }
}

/// One line with the ratios in our favour.
pub(crate) fn ratios(ours: &Measured, peer: &Measured) -> String {
    format!(
        "connect against Kafka Connect: {:.1}x the rows/s, 1/{:.1} of the CPU, 1/{:.1} of the memory",
        ours.rows_a_second / peer.rows_a_second,
        peer.cpu_seconds_a_million / ours.cpu_seconds_a_million,
        peer.peak_mib / ours.peak_mib
    )
}
