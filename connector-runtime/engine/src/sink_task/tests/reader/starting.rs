//! Partitions that are assigned: what is asked until they run, and what an answer that does not come means.

use super::*;

fn numbers(count: i32) -> Vec<i32> {
    (0..count).collect()
}

#[test]
fn a_thousand_partitions_are_asked_about_together_and_stored_with_one_commit() {
    let scene = Scene::new(Behaves::InGroup);
    let script = vec![
        Step::Assign(numbers(1_000)),
        records(999, 0..1),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("a thousand");
    assert_eq!(ran.log.of("committed"), ["committed of 1000"]);
    assert_eq!(ran.log.of("resolve"), ["resolve 1000"]);
    assert_eq!(ran.log.of("begin").len(), 1);
    assert_eq!(
        ran.log.of("store").len(),
        1_000,
        "each start is a position from now on"
    );
    assert_eq!(ran.log.of("commit").len(), 1);
}

#[test]
fn partitions_without_an_answer_are_asked_about_again_and_the_others_start() {
    let mut scene = Scene::new(Behaves::InGroup);
    scene.answers.unanswered = vec![1];
    let script = vec![
        Step::Assign(numbers(3)),
        records(0, 0..2),
        records(2, 0..2),
        nothing(60_000),
        records(1, 0..2),
        nothing(1_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("one missing");
    assert_eq!(ran.log.of("begin"), ["begin 0@0 2@0", "begin 1@0"]);
    assert_eq!(ran.log.of("resolve"), ["resolve 3", "resolve 1"]);
    for number in 0..3 {
        assert_eq!(ran.rows(number), [0, 1], "partition {number}");
    }
}

#[test]
fn an_outage_while_partitions_start_is_waited_out() {
    let mut scene = Scene::new(Behaves::StoresProgress);
    scene.answers.outages = 3;
    let script = vec![
        Step::Assign(numbers(2)),
        records(0, 0..2),
        nothing(1_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("an outage");
    assert_eq!(ran.log.of("resolve").len(), 4);
    assert_eq!(ran.log.of("begin"), ["begin 0@0 1@0"]);
    assert_eq!(ran.rows(0), [0, 1]);
}

#[test]
fn a_start_position_is_what_start_says_and_is_stored_although_no_record_moves_it() {
    // (start, first offset)
    let cases = [
        (None, 0),
        (Some(StartAt::Earliest), 0),
        (Some(StartAt::Latest), 100),
        (Some(StartAt::Time(connect_api::Timestamp::UNIX_EPOCH)), 50),
    ];
    for (start, first) in cases {
        for behaves in [Behaves::InGroup, Behaves::StoresProgress] {
            let what = format!("{start:?} {behaves:?}");
            let mut scene = Scene::new(behaves);
            scene.start = start;
            let table = scene.sink.table.clone();
            let script = vec![Step::Assign(vec![0]), nothing(2_000), scene.drain()];
            let ran = scene.run(script);
            ran.assert_stopped(&what);
            let in_sink = table.lock().unwrap().next.get(&0).copied();
            let in_group = ran.log.of("store").last().cloned();
            match behaves {
                Behaves::InGroup => {
                    assert_eq!(in_group, Some(format!("store 0@{first}")), "{what}")
                }
                _ => assert_eq!(in_sink, Some(first), "{what}"),
            }
        }
    }
}

#[test]
fn a_partition_that_is_revoked_while_its_start_is_unknown_never_starts() {
    let mut scene = Scene::new(Behaves::InGroup);
    scene.answers.unanswered = vec![1];
    let script = vec![
        Step::Assign(numbers(2)),
        nothing(50),
        Step::Revoke(vec![1]),
        nothing(60_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("revoked while starting");
    assert_eq!(ran.log.of("begin"), ["begin 0@0"]);
}

#[test]
fn an_offset_that_kafka_does_not_have_stops_the_connector_with_what_to_type() {
    let scene = Scene::new(Behaves::StoresProgress);
    let out_of_range = connect_kafka::Event::OutOfRange {
        partition: partition(0),
        wanted: 2,
        low: 10,
        high: 20,
    };
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..2),
        nothing(1_000),
        Step::Event(out_of_range),
    ];
    let ran = scene.run(script);
    let TaskEnd::Failed(text) = &ran.end else {
        panic!("{:?}", ran.end)
    };
    assert!(
        text.contains("offset 2 is next, but Kafka has 10 to 20"),
        "{text}"
    );
    assert!(
        text.contains("connect offsets test set --to earliest"),
        "{text}"
    );
    assert_eq!(ran.rows(0), [0, 1], "what was read before is written");
}
