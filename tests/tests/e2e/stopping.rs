//! A stop drains within the grace period (P7), and a second signal stops at once.

use std::time::Duration;

use connect_tests::kafka::Topic;
use connect_tests::load::SteadyLoad;
use connect_tests::process::Launch;
use connect_tests::proxy::Proxy;
use connect_tests::{eventually, http, servers};

use crate::payments;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_under_load_drain_and_exit_0() {
    let _turn = servers::shared().await;
    let topic = Topic::create("stopped", 4).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("stopped", payments::connector(&topic, "tasks = 2", ""));
    let load = SteadyLoad::start(&topic, 4, 3_000.0);
    let launch = Launch::run(&folder).database(database.url());
    for signal in ["TERM", "INT"] {
        let before = database.count("payments").await;
        let mut process = launch.start();
        payments::rows(&database, before + 2_000).await;
        process.signal(signal);
        assert_eq!(
            process.exit_code(Duration::from_secs(20)).await,
            0,
            "{signal}"
        );
    }
    // After a clean leave the next start proceeds at once, without waiting for the session timeout of 10 s.
    let ledger = load.stop().await;
    let mut process = launch.start();
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once_and_a_restart_repeats_nothing() {
    let _turn = servers::shared().await;
    let topic = Topic::create("stopped-at-once", 2).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("stopped-at-once", payments::connector(&topic, "", ""));
    let proxy = Proxy::before_postgres().await;
    let load = SteadyLoad::start(&topic, 2, 2_000.0);
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let port = http::free_port();
        let mut process = Launch::run(&folder)
            .database(database.url_through(proxy.address()))
            .argument(format!("--http=127.0.0.1:{port}"))
            .start();
        let before = database.count("payments").await;
        payments::rows(&database, before + 2_000).await;
        proxy.pause();
        eventually("a write hangs", payments::SETTLED, async || {
            let connector = http::connector(port, "stopped-at-once").await?;
            let in_flight = connector["records"]["in_flight"].as_u64()?;
            // Longer than the linger time: the write before it does not end.
            (in_flight > 1_000).then_some(())
        })
        .await;
        process.signal(signal);
        process
            .event("stopping", Duration::from_secs(10), |_| true)
            .await;
        assert!(process.has_ended().is_none(), "the first signal drains");
        process.signal(signal);
        assert_eq!(process.exit_code(Duration::from_secs(5)).await, code);
        proxy.resume();
    }
    let ledger = load.stop().await;
    let mut process = Launch::run(&folder).database(database.url()).start();
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
    database.remove().await;
}
