//! A failure, panic, hang or loop of one connector does not affect another (P6). Faulty connectors run in one process
//! with correct ones, more of them than the machine has processors.

mod faulty;
mod scene;

use std::time::Duration;

use connect_tests::process::ConnectProcess;
use connect_tests::{http, servers};

use faulty::{Bad, Trouble};
use scene::Scene;

/// The grace period, and the small overhead of a stop.
const GRACE: Duration = Duration::from_secs(20);
const A_LITTLE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_hangs_or_loops_does_not_block_others() {
    let _turn = servers::shared().await;
    let scene = Scene::new().await;
    // Calls that have not started, or wait for input, end as soon as the stop is requested.
    let patient = [
        Bad::sink(&scene, "open", "hang").await,
        Bad::source(&scene, "open", "hang"),
        Bad::source(&scene, "poll", "hang"),
    ];
    let stubborn = [
        Bad::sink(&scene, "open", "loop").await,
        Bad::sink(&scene, "write", "hang").await,
        Bad::sink(&scene, "write", "loop").await,
        Bad::sink(&scene, "apply", "loop").await,
        Bad::source(&scene, "open", "loop"),
        Bad::source(&scene, "poll", "loop"),
        Bad::source(&scene, "apply", "loop"),
        Bad::source(&scene, "commit", "hang"),
    ];
    let bad = || patient.iter().chain(&stubborn);
    let mut process = scene.start();
    for one in bad() {
        one.has_struck().await;
    }
    scene.goes_on().await;

    process.signal("TERM");
    assert_eq!(process.exit_code(GRACE + A_LITTLE).await, 0);
    let stopped = &process.events("stopped")[0];
    assert_eq!(stopped["abandoned"], true, "{stopped}");
    assert_eq!(names(&process, "grace_passed"), sorted(&stubborn, |_| true));
    let loops = sorted(&stubborn, |name| name.contains("loop"));
    assert_eq!(names(&process, "task_left_behind"), loops);

    for one in bad() {
        one.mend();
    }
    let mut process = scene.start();
    for one in bad() {
        one.has_delivered_everything().await;
    }
    scene.has_delivered_everything().await;
    assert_eq!(process.stop(GRACE).await, 0);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_panics_is_restarted_repeatedly_and_loses_nothing() {
    let _turn = servers::shared().await;
    let scene = Scene::new().await;
    let bad = [
        Bad::sink(&scene, "open", "panic").await,
        Bad::sink(&scene, "write", "panic").await,
        // An assertion of the engine: the sink's answer is impossible.
        Bad::sink(&scene, "write", "blame").await,
        Bad::sink(&scene, "apply", "panic").await,
        Bad::source(&scene, "open", "panic"),
        Bad::source(&scene, "poll", "panic"),
        Bad::source(&scene, "apply", "panic"),
    ];
    let mut process = scene.start();
    for one in &bad {
        one.is_restarting(&scene).await;
    }
    for one in &bad {
        let delays = one.delays(&process, 3).await;
        assert_eq!(delays, [1_000, 2_000, 4_000], "{}", one.name());
    }
    scene.goes_on().await;
    // A connector that waits for its restart does not delay the stop.
    assert_eq!(process.stop(GRACE).await, 0);
    assert_eq!(names(&process, "grace_passed"), [""; 0]);

    let mut process = scene.start();
    for one in &bad {
        one.is_restarting(&scene).await;
    }
    for one in &bad {
        one.mend();
    }
    for one in &bad {
        one.has_delivered_everything().await;
    }
    scene.has_delivered_everything().await;
    assert_eq!(http::get(scene.port(), "/readyz").await, "ok\n");
    assert_eq!(process.stop(GRACE).await, 0);
    scene.end().await;
}

/// A panic must be noticed even while another part of the same connector hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_panics_and_hangs_is_restarted_and_one_that_fails_stays_failed() {
    let _turn = servers::shared().await;
    let scene = Scene::new().await;
    let failing = Bad::failing(&scene).await;
    let halves = [
        Trouble::new("write", "hang"),
        // After the first batch.
        Trouble::new("apply", "panic").at_record("payment-300"),
    ];
    let halves = Bad::sink_with(&scene, 1, &halves).await;
    let mut process = scene.start();
    let reason = &failing.is("FAILED", &scene).await["reason"];
    let text = reason["text"].as_str().unwrap();
    assert!(text.contains("No such file or directory"), "{text}");
    // The hanging call is abandoned when its time is over.
    for one in [&halves] {
        one.is_restarting(&scene).await;
        let let_go = process.events("grace_passed");
        let own = let_go.iter().find(|event| event["connector"] == one.name());
        assert!(own.is_some(), "{}: {let_go:?}", one.name());
    }
    scene.goes_on().await;
    for one in [&halves] {
        one.mend();
        one.has_delivered_everything().await;
    }
    scene.has_delivered_everything().await;
    // One of them is FAILED.
    assert_eq!(process.stop(GRACE).await, 1);
    scene.end().await;
}

/// The connectors of one kind of event, sorted.
fn names(process: &ConnectProcess, event: &str) -> Vec<String> {
    let events = process.events(event).into_iter();
    let mut names: Vec<String> = events
        .filter_map(|event| event["connector"].as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

fn sorted(bad: &[Bad], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let names = bad.iter().map(Bad::name).filter(|name| wanted(name));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}
