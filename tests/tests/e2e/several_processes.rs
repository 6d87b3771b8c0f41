//! Several processes on one folder: each record once, whichever process is killed, frozen, joins or leaves.

use std::time::{Duration, Instant};

use connect_tests::database::Database;
use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::{SteadyLoad, produce_payments};
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, servers};

use crate::payments;

/// A process with its own role in the database.
struct Peer {
    launch: Launch,
    role: String,
}

impl Peer {
    async fn new(folder: &Folder, database: &Database, word: &str) -> Peer {
        let (url, role) = database.role(word, "secret").await;
        Peer {
            launch: Launch::run(folder).database(url),
            role,
        }
    }

    /// Whether it has an open transaction.
    async fn is_writing(&self, database: &Database) -> bool {
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'
             AND datname = current_database() AND xact_start IS NOT NULL",
            self.role
        );
        database.try_number(&open).await > Some(0)
    }

    /// Waits until it writes.
    async fn writes(&self, database: &Database) {
        eventually(
            &format!("{} writes", self.role),
            payments::SETTLED,
            async || self.is_writing(database).await.then_some(()),
        )
        .await;
    }

    /// Freezes its process while it has an open transaction. Two looks some time apart show that it is not just
    /// ending.
    async fn freeze_in_mid_write(&self, process: &ConnectProcess, database: &Database) {
        eventually("frozen in mid-write", payments::SETTLED, async || {
            process.signal("STOP");
            if self.is_writing(database).await {
                database.execute("SELECT pg_sleep(0.1)").await;
                if self.is_writing(database).await {
                    return Some(());
                }
            }
            process.signal("CONT");
            None
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_partitions_and_one_is_killed() {
    let _turn = servers::shared().await;
    let topic = Topic::create("shared", 6).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("shared", payments::connector(&topic, "", ""));
    let load = SteadyLoad::start(&topic, 6, 3_000.0);
    let one = Peer::new(&folder, &database, "one").await;
    let other = Peer::new(&folder, &database, "other").await;
    let mut first = one.launch.start();
    let mut second = other.launch.start();
    one.writes(&database).await;
    other.writes(&database).await;
    let assigned = second
        .event("partitions_assigned", payments::SETTLED, |_| true)
        .await;
    let names = assigned["partitions"].as_array().expect("a list");
    let prefix = format!("{}/", topic.name());
    for name in names {
        assert!(
            name.as_str().is_some_and(|name| name.starts_with(&prefix)),
            "{names:?}"
        );
    }
    first.kill();
    let before = database.count("payments").await;
    payments::rows(&database, before + 20_000).await;
    let mut first = one.launch.start();
    one.writes(&database).await;
    other.writes(&database).await;
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    for process in [&mut first, &mut second] {
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_frozen_for_60_s_in_mid_write_does_no_harm_when_it_thaws() {
    let _turn = servers::shared().await;
    let topic = Topic::create("frozen", 4).await;
    let database = payments::database().await;
    let folder = payments::folder();
    let batches = "[batch]\nmax_records = 500\nlinger = \"20ms\"\n";
    folder.connector("frozen", payments::connector(&topic, "", batches));
    let load = SteadyLoad::start(&topic, 4, 3_000.0);
    let one = Peer::new(&folder, &database, "frozen").await;
    let another = Peer::new(&folder, &database, "other").await;
    let mut frozen = one.launch.start();
    let mut other = another.launch.start();
    one.writes(&database).await;
    another.writes(&database).await;
    one.freeze_in_mid_write(&frozen, &database).await;
    // The freeze itself, longer than the session timeout, so that the other process takes over.
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let taken_over = "SELECT count(DISTINCT partition) FROM
        (SELECT partition FROM payments ORDER BY arrived DESC LIMIT 5000) AS newest";
    assert_eq!(
        database.try_number(taken_over).await,
        Some(4),
        "the other process reads every partition after {:?}",
        began.elapsed()
    );
    frozen.signal("CONT");
    let thawed = database.count("payments").await;
    payments::rows(&database, thawed + 15_000).await;
    one.writes(&database).await;
    another.writes(&database).await;
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    for process in [&mut frozen, &mut other] {
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_frozen_in_the_middle_of_a_copy_is_soon_superseded() {
    let _turn = servers::shared().await;
    let topic = Topic::create("frozen-copy", 1).await;
    let database = payments::database().await;
    let ledger = produce_payments(&topic, 1, 50_000).await;
    let folder = payments::folder();
    // Two kilobytes per row: 100 MB exceed what the system buffers between the two ends of a connection.
    database
        .execute("ALTER TABLE payments ADD COLUMN filler text")
        .await;
    let filler = "x".repeat(2_000);
    let one_batch = format!(
        "filler = \"$.filler\"
         [[transforms]]\ntype = \"insert_field\"\nfield = \"filler\"\nvalue = \"{filler}\"
         [batch]\nmax_records = 50000\nmax_bytes = \"64MiB\"\nin_flight = \"384MiB\"\nlinger = \"60s\"\n"
    );
    folder.connector("frozen-copy", payments::connector(&topic, "", &one_batch));
    let one = Peer::new(&folder, &database, "frozen").await;
    let another = Peer::new(&folder, &database, "other").await;
    let mut frozen = one.launch.start();
    let in_copy = format!(
        "SELECT count(*) FROM pg_stat_progress_copy JOIN pg_stat_activity USING (pid) WHERE usename = '{}'",
        one.role
    );
    database
        .execute(&format!(
            "SET LOCAL statement_timeout = '60s'; DO $$ BEGIN WHILE ({in_copy}) = 0 LOOP
               PERFORM pg_sleep(0.001); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
        ))
        .await;
    frozen.signal("STOP");
    let waits = format!("{in_copy} AND wait_event = 'ClientRead'");
    eventually("it owes the rest", Duration::from_secs(9), async || {
        database
            .try_number(&waits)
            .await
            .filter(|count| *count == 1)
    })
    .await;
    let mut other = another.launch.start();
    // Its session would have 10 minutes.
    payments::rows(&database, 50_000).await;
    assert_eq!(other.events("frozen_session_ended").len(), 1);
    frozen.signal("CONT");
    frozen
        .event("batch_retried", payments::SETTLED, |_| true)
        .await;
    for process in [&mut frozen, &mut other] {
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_every_2_s_for_a_minute_costs_nothing() {
    let _turn = servers::shared().await;
    let topic = Topic::create("storm", 6).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("storm", payments::connector(&topic, "", ""));
    let load = SteadyLoad::start(&topic, 6, 3_000.0);
    let launch = Launch::run(&folder).database(database.url());
    let mut steady = launch.start();
    payments::rows(&database, 3_000).await;
    let began = Instant::now();
    let mut rounds = 0;
    let before = database.count("payments").await;
    while began.elapsed() < Duration::from_secs(60) {
        let mut guest = launch.start();
        // The rhythm of the storm: a guest joins, stays for two seconds, and leaves.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(guest.stop(Duration::from_secs(30)).await, 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        rounds += 1;
    }
    let during = database.count("payments").await - before;
    assert!(rounds >= 8, "{rounds} rounds are no storm");
    // Half of the load of that minute.
    assert!(during > 90_000, "only {during} rows came through the storm");
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    // Partitions return with progress beyond the group's offsets, which nobody moved.
    assert_eq!(steady.events("group_offset_differs").len(), 0);
    assert_eq!(steady.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}
