//! Bytes in flight stay below `[batch] in_flight` (P5), whatever the sink does and however large the records are; a
//! record above the limit passes alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use connect_tests::checker::{Entry, Evidence, Ledger, Verdict};
use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::{self, Topic};
use connect_tests::load::Producer;
use connect_tests::process::Launch;
use connect_tests::sink_lines::Written;
use connect_tests::{eventually, http, servers};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::{FAULTY, payments};

const MIB: u64 = 1024 * 1024;
const PARTITIONS: i32 = 4;

/// A topic that allows records of up to 10 MiB.
async fn topic(word: &str) -> Topic {
    let topic = Topic::not_created(word);
    let settings = [("max.message.bytes", "10485760")];
    topic.create_with(PARTITIONS, &settings).await;
    topic
}

/// Sends records of these sizes, round-robin over the partitions. They compress badly.
async fn produce(topic: &Topic, sizes: Vec<usize>) -> Ledger {
    produce_with(Producer::new(), topic, sizes).await
}

async fn produce_with(producer: Producer, topic: &Topic, sizes: Vec<usize>) -> Ledger {
    let topic = topic.clone();
    tokio::task::spawn_blocking(move || {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for (number, size) in (0..).zip(sizes) {
            let mut text = String::with_capacity(size + 16);
            while text.len() < size {
                text += &format!("{:016x}", random.random::<u64>());
            }
            let (id, partition) = (format!("record-{number}"), number % PARTITIONS);
            let value = format!("{{\"text\":\"{text}\"}}");
            producer.send(&topic, partition, &id, value.as_bytes(), value.as_bytes());
        }
        producer.finish()
    })
    .await
    .expect("the load ends")
}

/// From the topic to a file; `more` belongs to the sink.
fn to_file(topic: &Topic, batch: &str, file: &Path, more: &str) -> String {
    format!(
        "topics = [\"{}\"]\n[batch]\n{batch}\n[[sinks]]\ntype = \"faulty\"\nfile = \"{}\"\n{more}",
        topic.name(),
        file.display()
    )
}

fn reconcile(ledger: &Ledger, rows: impl IntoIterator<Item = Entry>) {
    let evidence = Evidence {
        rows: rows.into_iter().collect(),
        ..Evidence::default()
    };
    Verdict::reconcile(ledger, &evidence).assert_clean();
}

/// Waits until every record has arrived once; returns the sizes of each write's records.
async fn arrive(ledger: &Ledger, file: &Path) -> Vec<Vec<u64>> {
    let written = eventually("every record", payments::SETTLED, async || {
        let written = Written::read(file);
        (written.len() >= ledger.len()).then_some(written)
    })
    .await;
    reconcile(ledger, written.iter().map(|one| one.entry.clone()));
    let mut writes: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for one in written {
        writes.entry(one.write).or_default().push(one.bytes);
    }
    writes.into_values().collect()
}

/// The records before the last one of each write do not fill it.
fn assert_filled_by_the_last(writes: &[Vec<u64>], share: u64) {
    for sizes in writes {
        let (_, before) = sizes.split_last().unwrap();
        let before: u64 = before.iter().sum();
        assert!(before < share, "{before} bytes and one more record");
    }
}

/// From 20 bytes to 3 MB, more than twelve times the limit in total.
fn sizes_of_all_kinds() -> Vec<usize> {
    let sizes = (0..400).flat_map(|round| {
        let larger = (round % 20 == 0).then_some(900_000);
        let largest = (round % 100 == 0).then_some(3_000_000);
        std::iter::repeat_n(1_000, 100)
            .chain([20, 20_000, 90_000])
            .chain(larger)
            .chain(largest)
    });
    sizes.collect()
}

/// Half of `in_flight` is the client's queue; the other half is three batches: being read, waiting, being written.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_does_not_return_holds_no_more_than_in_flight() {
    const IN_FLIGHT: u64 = 8 * MIB;
    let _turn = servers::shared().await;
    let topic = topic("in-flight").await;
    let folder = Folder::new();
    let (gate, file) = (folder.path().join("gate"), folder.path().join("written"));
    std::fs::write(&gate, "").unwrap();
    let hang = format!(
        "troubles = [{{ at = \"write\", how = \"hang\", while_exists = \"{}\" }}]\n",
        gate.display()
    );
    let batch = "max_bytes = \"1MiB\"\nin_flight = \"8MiB\"";
    folder.connector(topic.name(), to_file(&topic, batch, &file, &hang));
    let port = http::free_port();
    let mut process = Launch::run(&folder)
        .program(FAULTY)
        .argument(format!("--http=127.0.0.1:{port}"))
        .start();
    process
        .event("partitions_assigned", payments::SETTLED, |_| true)
        .await;
    let idle_kib = process.memory_kib("VmHWM");
    let ledger = produce(&topic, sizes_of_all_kinds()).await;
    // The duration of the hang, which exceeds the wait after which a reader pauses its partitions.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let connector = http::connector(port, topic.name()).await.unwrap();
    let in_flight = connector["records"]["in_flight"].as_u64().unwrap();
    std::fs::remove_file(gate).unwrap();

    let writes = arrive(&ledger, &file).await;
    assert_filled_by_the_last(&writes, MIB);
    let three: u64 = writes.iter().take(3).map(|write| write.len() as u64).sum();
    assert!(
        (1..=three).contains(&in_flight),
        "{in_flight} records, {three} in three batches"
    );
    // A payload takes its bytes and what is built from it; without a limit the whole topic would be in memory.
    let grown_kib = process.memory_kib("VmHWM") - idle_kib;
    let limit_kib = 8 * IN_FLIGHT / 1024;
    assert!(grown_kib < limit_kib, "{grown_kib} of {limit_kib} KiB");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}

const LARGE_TABLE: &str = r#"CREATE TABLE large (
    arrived bigserial, id text, topic text, partition integer, "offset" bigint, text text
)"#;

const LARGE_ROWS: &str = r#"SELECT id, topic, partition, "offset", '{"text":"' || text || '"}' AS content
    FROM large ORDER BY arrived"#;

fn to_table(topic: &Topic, batch: &str) -> String {
    format!(
        r##"topics = ["{}"]
[batch]
{batch}
[[sinks]]
type = "postgres"
url = "${{env:DATABASE_URL}}"
[[sinks.tables]]
table = "large"
mode = "insert"
[sinks.tables.columns]
id = "#key"
topic = "#topic"
partition = "#partition"
offset = "#offset"
text = "$.text"
"##,
        topic.name()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_larger_than_in_flight_passes_alone() {
    let _turn = servers::shared().await;
    let topic = topic("large-records").await;
    let small = || std::iter::repeat_n(1_000, 200);
    let large = [
        900_000, 1_500_000, 3_000_000, 6_000_000, 6_000_000, 9_000_000,
    ];
    let ledger = produce(&topic, small().chain(large).chain(small()).collect()).await;
    let database = Database::create().await;
    database.execute(LARGE_TABLE).await;
    let folder = Folder::new();
    let file = folder.path().join("written");
    let batch = "max_bytes = \"128KiB\"\nin_flight = \"1MiB\"";
    let name = topic.name();
    folder.connector(&format!("{name}-file"), to_file(&topic, batch, &file, ""));
    folder.connector(&format!("{name}-table"), to_table(&topic, batch));
    let mut process = Launch::run(&folder)
        .program(FAULTY)
        .database(database.url())
        .start();
    let writes = arrive(&ledger, &file).await;
    assert_filled_by_the_last(&writes, MIB / 8);
    let expected = i64::try_from(ledger.len()).unwrap();
    eventually("every row", payments::SETTLED, async || {
        (database.count("large").await >= expected).then_some(())
    })
    .await;
    reconcile(&ledger, database.entries(LARGE_ROWS).await);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_count_too() {
    let _turn = servers::shared().await;
    let topic = topic("headers").await;
    let producer = Producer::new().with_header(vec![b'h'; 50_000]);
    let ledger = produce_with(producer, &topic, vec![20; 1_000]).await;
    let folder = Folder::new();
    let file = folder.path().join("written");
    let batch = "max_bytes = \"1MiB\"\nin_flight = \"6MiB\"";
    folder.connector(topic.name(), to_file(&topic, batch, &file, ""));
    let mut process = Launch::run(&folder).program(FAULTY).start();
    let writes = arrive(&ledger, &file).await;
    assert_filled_by_the_last(&writes, MIB);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}

/// Spaces: 20 MB in 0.7 KB, one batch each.
fn send_batches_that_grow(topic: &Topic, count: usize) {
    let producer: BaseProducer = kafka::client()
        .set("compression.type", "zstd")
        .set("message.max.bytes", "100000000")
        .create()
        .expect("a producer");
    let value = vec![b' '; 20_000_000];
    for _ in 0..count {
        let record = BaseRecord::<(), [u8]>::to(topic.name()).payload(&value);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("queued");
        producer.flush(Duration::from_secs(60)).expect("sent");
    }
}

/// The client decompresses a fetch as a whole, so the fetch size follows `in_flight`: 8 KiB are a dozen of these
/// batches.
#[tokio::test(flavor = "multi_thread")]
async fn batches_that_grow_thirty_thousandfold_are_unpacked_a_few_at_a_time() {
    const BATCHES: usize = 40;
    let _turn = servers::shared().await;
    let topic = Topic::create("grows", 1).await;
    let sent = topic.clone();
    tokio::task::spawn_blocking(move || send_batches_that_grow(&sent, BATCHES))
        .await
        .unwrap();
    let folder = Folder::new();
    let file = folder.path().join("written");
    let batch = "max_bytes = \"1MiB\"\nin_flight = \"8MiB\"\n\
                 [errors]\ntolerance = \"all\"\ndead_letter = \"discard\"";
    folder.connector(topic.name(), to_file(&topic, batch, &file, ""));
    let port = http::free_port();
    let mut process = Launch::run(&folder)
        .program(FAULTY)
        .argument(format!("--http=127.0.0.1:{port}"))
        .start();
    eventually("every record", payments::SETTLED, async || {
        let connector = http::connector(port, topic.name()).await?;
        let consumed = connector["records"]["consumed"].as_u64()?;
        (consumed == BATCHES as u64).then_some(())
    })
    .await;
    let highest_mib = process.memory_kib("VmHWM") / 1024;
    assert!(highest_mib < 450, "{highest_mib} MiB");
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}
