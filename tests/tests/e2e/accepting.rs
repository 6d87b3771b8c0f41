//! A sink that accepts records and makes them durable later: every record is in exactly one finished file, unless a
//! process was killed after it finished a file and before it told the group (P1, P5, P7).

mod files;

use std::time::{Duration, Instant};

use connect_tests::checker::Ledger;
use connect_tests::kafka::Topic;
use connect_tests::load::{Producer, SteadyLoad, produce_payments};
use connect_tests::process::ConnectProcess;
use connect_tests::{eventually, http, servers};

use crate::payments::SETTLED;
use files::{NEVER, Roll, Scene};

const GRACE: Duration = Duration::from_secs(30);
const SMALL_BATCHES: &str = "max_records = 500\nlinger = \"20ms\"";

async fn finished(scene: &Scene, count: usize) {
    eventually(&format!("{count} finished records"), SETTLED, async || {
        (scene.count() >= count).then_some(())
    })
    .await;
}

async fn assigned(process: &ConnectProcess) {
    process
        .event("partitions_assigned", SETTLED, |_| true)
        .await;
}

/// Accepted records are flushed and committed before a partition is revoked, and at a stop, so no record is written
/// twice.
#[tokio::test(flavor = "multi_thread")]
async fn rebalances_and_stops_leave_every_record_in_one_finished_file() {
    let _turn = servers::shared().await;
    let topic = Topic::create("archive", 6).await;
    let load = SteadyLoad::start(&topic, 6, 2_000.0);
    let scene = Scene::new(topic, &NEVER, SMALL_BATCHES, "");
    let mut steady = scene.launch().start();
    assigned(&steady).await;
    for _ in 0..2 {
        let mut guest = scene.launch().start();
        assigned(&guest).await;
        // Accepted by the first process, and flushed for no other reason.
        assert!(
            scene.count() > 0,
            "it flushed before its partitions were revoked"
        );
        assert_eq!(guest.stop(GRACE).await, 0);
    }
    // A stop in the middle of a rebalance.
    let mut last = scene.launch().start();
    last.event("connector_started", SETTLED, |_| true).await;
    assert_eq!(steady.stop(GRACE).await, 0);
    assigned(&last).await;
    let ledger = load.stop().await;
    assert_eq!(last.stop(GRACE).await, 0);
    let flushes = steady.events("flushed_before_revocation");
    assert!(!flushes.is_empty());
    for flush in flushes {
        assert_eq!(flush["in_time"], true, "{flush}");
    }
    drain(&scene, &ledger).await;
    scene.reconcile(&ledger).assert_clean();
    assert_eq!(scene.open_files(), 0);
}

/// Runs the connector until every record is finished, and stops it.
async fn drain(scene: &Scene, ledger: &Ledger) {
    scene.roll(&Roll { age: "1s", ..NEVER });
    let mut process = scene.launch().start();
    eventually("everything is finished", SETTLED, async || {
        (scene.times().len() >= ledger.len()).then_some(())
    })
    .await;
    assert_eq!(process.stop(GRACE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_repeat_only_records_that_were_finished_and_not_yet_committed() {
    const KILLS: usize = 2;
    const ROLL: u64 = 300;
    let _turn = servers::shared().await;
    let topic = Topic::create("killed-archive", 4).await;
    let load = SteadyLoad::start(&topic, 4, 2_000.0);
    let roll = Roll {
        records: ROLL,
        age: "1h",
    };
    let scene = Scene::new(topic, &roll, SMALL_BATCHES, "");
    for _ in 0..KILLS {
        let before = scene.count();
        let mut process = scene.launch().start();
        finished(&scene, before + 4_000).await;
        process.kill();
        // Unfinished files remain; the next sink that opens removes them.
        assert!(scene.open_files() > 0);
    }
    let mut process = scene.launch().start();
    assigned(&process).await;
    let ledger = load.stop().await;
    assert_eq!(process.stop(GRACE).await, 0);
    drain(&scene, &ledger).await;
    scene.reconcile(&ledger).assert_at_least_once();
    assert_eq!(scene.open_files(), 0);
    let mut repeated = scene.times();
    repeated.retain(|_, times| *times > 1);
    assert!(
        repeated.values().all(|times| *times <= 1 + KILLS),
        "each kill repeats a record once at most"
    );
    // The commit interval of 200 ms plus a commit in progress: a second of the load, and the files that it finishes.
    let most = KILLS * (2_000 + 4 * ROLL as usize);
    assert!(repeated.len() <= most, "{} of {most}", repeated.len());
    // Positions that a stop has committed to the group are not read again.
    let count = scene.count();
    let mut process = scene.launch().start();
    assigned(&process).await;
    assert_eq!(process.stop(GRACE).await, 0);
    assert_eq!(scene.count(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_files_are_finished_without_new_input() {
    let _turn = servers::shared().await;
    let topic = Topic::create("quiet-archive", 2).await;
    let ledger = produce_payments(&topic, 2, 1_000).await;
    let roll = Roll { age: "2s", ..NEVER };
    let scene = Scene::new(topic, &roll, SMALL_BATCHES, "");
    let mut process = scene.launch().start();
    finished(&scene, ledger.len()).await;
    scene.reconcile(&ledger).assert_clean();
    assert_eq!(scene.open_files(), 0);
    assert_eq!(process.stop(GRACE).await, 0);
    let mut process = scene.launch().start();
    assigned(&process).await;
    assert_eq!(process.stop(GRACE).await, 0);
    scene.reconcile(&ledger).assert_clean();
}

const RECORD_BYTES: u64 = 10_000;

/// Records of one size, round-robin over the partitions.
async fn produce_large(topic: &Topic, count: usize) -> Ledger {
    let topic = topic.clone();
    let sent = tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        for number in 0..count {
            let id = format!("record-{number}");
            let empty = format!(r#"{{"id":"{id}","text":""}}"#).len();
            // The key counts as well.
            let text = "x".repeat(RECORD_BYTES as usize - empty - id.len());
            let value = format!(r#"{{"id":"{id}","text":"{text}"}}"#);
            let partition = (number % 4) as i32;
            producer.send(&topic, partition, &id, value.as_bytes(), value.as_bytes());
        }
        producer.finish()
    });
    sent.await.expect("the load ends")
}

/// A sink that never finishes a file by itself is flushed before the limit of bytes in flight (P5).
#[tokio::test(flavor = "multi_thread")]
async fn accepted_records_are_in_flight_and_stay_below_the_limit() {
    const IN_FLIGHT: u64 = 12 * 1024 * 1024;
    const BATCH: u64 = 256 * 1024;
    let _turn = servers::shared().await;
    let topic = Topic::create("large-archive", 4).await;
    let ledger = produce_large(&topic, 6_000).await;
    let batch = format!("max_bytes = \"{BATCH}B\"\nin_flight = \"{IN_FLIGHT}B\"");
    let scene = Scene::new(topic, &NEVER, &batch, "");
    let port = http::free_port();
    let mut process = scene
        .launch()
        .argument(format!("--http=127.0.0.1:{port}"))
        .start();
    let name = scene.topic.name();
    let mut most = 0;
    eventually("everything is read", SETTLED, async || {
        let connector = http::connector(port, name).await?;
        let records = &connector["records"];
        let in_flight = records["in_flight"].as_u64()?;
        most = in_flight.max(most);
        (records["consumed"].as_u64()? >= ledger.len() as u64).then_some(())
    })
    .await;
    assert_eq!(process.stop(GRACE).await, 0);
    scene.reconcile(&ledger).assert_clean();
    let bytes = most * RECORD_BYTES;
    assert!(bytes <= IN_FLIGHT, "{bytes} bytes of {IN_FLIGHT} in flight");
    // Without the accepted records it would be three batches.
    assert!(
        bytes > 6 * BATCH,
        "{bytes} bytes do not include the accepted records"
    );
}

/// The partitions are revoked anyway, and records that are not durable by then are read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_hangs_holds_up_no_rebalance() {
    let _turn = servers::shared().await;
    let topic = Topic::create("hanging-archive", 4).await;
    let ledger = produce_payments(&topic, 4, 4_000).await;
    let gate = tempfile::NamedTempFile::new().expect("a file");
    let troubles = format!(
        r#"{{ at = "flush", how = "hang", while_exists = "{}" }}"#,
        gate.path().display()
    );
    let scene = Scene::new(topic, &NEVER, SMALL_BATCHES, &troubles);
    let port = http::free_port();
    let mut hanging = scene
        .launch()
        .argument(format!("--http=127.0.0.1:{port}"))
        .start();
    let name = scene.topic.name();
    eventually("everything is accepted", SETTLED, async || {
        let connector = http::connector(port, name).await?;
        let in_flight = connector["records"]["in_flight"].as_u64()?;
        (in_flight == ledger.len() as u64).then_some(())
    })
    .await;
    let mut guest = scene.launch().start();
    let began = Instant::now();
    assigned(&guest).await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it waited {:?}",
        began.elapsed()
    );
    let flush = hanging
        .event("flushed_before_revocation", SETTLED, |_| true)
        .await;
    assert_eq!(flush["in_time"], false, "{flush}");
    gate.close().expect("the gate opens");
    for process in [&mut guest, &mut hanging] {
        assert_eq!(process.stop(GRACE).await, 0);
    }
    drain(&scene, &ledger).await;
    scene.reconcile(&ledger).assert_at_least_once();
}
