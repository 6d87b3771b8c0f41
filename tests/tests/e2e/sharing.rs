//! Several processes on one folder: each record once, whoever is killed, frozen, joins or leaves.

use std::time::{Duration, Instant};

use connect_tests::database::Database;
use connect_tests::kafka::Topic;
use connect_tests::load::SteadyLoad;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, servers};

use crate::payments;

/// The URL with a name by which the server's list of sessions tells one process from the other.
fn named(database: &Database, application: &str) -> String {
    format!("{}?application_name={application}", database.url())
}

/// Whether a process holds a transaction open.
async fn is_writing(database: &Database, application: &str) -> bool {
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}'
         AND datname = current_database() AND xact_start IS NOT NULL"
    );
    database.try_number(&open).await > Some(0)
}

/// Whether both processes have written something: they share the partitions.
async fn both_write(database: &Database, names: [&str; 2]) {
    for name in names {
        eventually(&format!("{name} writes"), payments::SETTLED, async || {
            is_writing(database, name).await.then_some(())
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
    let mut first = Launch::run(&folder)
        .database(named(&database, "first"))
        .start();
    let mut second = Launch::run(&folder)
        .database(named(&database, "second"))
        .start();
    both_write(&database, ["first", "second"]).await;
    first.kill();
    let before = database.count("payments").await;
    payments::rows(&database, before + 20_000).await;
    let mut first = Launch::run(&folder)
        .database(named(&database, "first"))
        .start();
    both_write(&database, ["first", "second"]).await;
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    for process in [&mut first, &mut second] {
        assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    }
    database.remove().await;
}

/// Freezes the process while it has a transaction open.
async fn freeze_in_mid_write(process: &ConnectProcess, database: &Database, name: &str) {
    eventually("frozen in mid-write", payments::SETTLED, async || {
        process.signal("STOP");
        if is_writing(database, name).await {
            return Some(());
        }
        process.signal("CONT");
        None
    })
    .await;
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
    let mut frozen = Launch::run(&folder)
        .database(named(&database, "frozen"))
        .start();
    let mut other = Launch::run(&folder)
        .database(named(&database, "other"))
        .start();
    both_write(&database, ["frozen", "other"]).await;
    freeze_in_mid_write(&frozen, &database, "frozen").await;
    // The freeze itself: longer than the session lives, so that the other takes over.
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
    both_write(&database, ["frozen", "other"]).await;
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
        // The storm's own rhythm: a guest comes, stays for two seconds, goes.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(guest.stop(Duration::from_secs(30)).await, 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        rounds += 1;
    }
    let during = database.count("payments").await - before;
    assert!(rounds >= 8, "{rounds} rounds are no storm");
    // Half of what the load brought in that minute.
    assert!(during > 90_000, "only {during} rows came through the storm");
    let ledger = load.stop().await;
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(steady.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}
