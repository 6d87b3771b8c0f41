//! A topic to stdout: at least once, whatever happens to the process.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::SteadyLoad;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::{eventually, servers};
use serde_json::Value;

/// The ids on complete lines; the last line of a killed process may be incomplete.
fn ids(process: &ConnectProcess) -> BTreeSet<String> {
    let text = process.stdout();
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| {
                panic!("a line on stdout is not JSON ({error}): {line}");
            });
            record["id"].as_str().expect("an id").to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_topic_to_stdout_loses_nothing_to_kill_9() {
    let _turn = servers::shared().await;
    let topic = Topic::create("to-stdout", 3).await;
    let folder = Folder::new();
    folder.connector(
        "to-stdout",
        format!(
            "topics = [\"{}\"]\n[[sinks]]\ntype = \"stdout\"\n",
            topic.name()
        ),
    );
    let load = SteadyLoad::start(&topic, 3, 2_000.0);
    let mut seen = BTreeSet::new();
    for progress in [500, 3_000, 1_500] {
        let mut process = Launch::run(&folder).start();
        eventually("records on stdout", Duration::from_secs(40), async || {
            (ids(&process).len() >= progress).then_some(())
        })
        .await;
        process.kill();
        seen.extend(ids(&process));
    }
    let ledger = load.stop().await;
    let mut process = Launch::run(&folder).start();
    eventually(
        "every record on stdout",
        Duration::from_secs(60),
        async || {
            seen.extend(ids(&process));
            (seen.len() >= ledger.len()).then_some(())
        },
    )
    .await;
    let produced: BTreeSet<String> = ledger.entries().map(|entry| entry.id.clone()).collect();
    assert_eq!(seen, produced);
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);
}
