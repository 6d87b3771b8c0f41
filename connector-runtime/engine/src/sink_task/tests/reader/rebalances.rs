//! Partitions that the group moves while their records are on the way.

use super::*;

/// Three records of partition 0 are being written, and the write waits at the gate.
fn during_a_write(scene: &mut Scene) -> Vec<Step> {
    vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        nothing(1_000),
        scene.sink_begins(),
    ]
}

#[test]
fn what_is_written_when_its_partition_is_revoked_or_lost_is_not_stored() {
    let cases = [
        ("revoked", Step::Revoke(vec![0])),
        ("lost", Step::Lose(vec![0])),
    ];
    for (name, goes) in cases {
        let mut scene = Scene::gated(Behaves::InGroup);
        let mut script = during_a_write(&mut scene);
        script.extend([
            goes,
            nothing(100),
            scene.open_gate(),
            nothing(5_000),
            scene.drain(),
        ]);
        let ran = scene.run(script);
        ran.assert_stopped(name);
        assert_eq!(ran.rows(0), [0, 1, 2], "{name}");
        // Only where the partition started: the next owner reads the three again.
        assert_eq!(ran.log.of("store"), ["store 0@0"], "{name}");
    }
}

#[test]
fn a_partition_that_is_revoked_and_assigned_back_during_a_write_starts_where_progress_is_stored() {
    // (sink, rows, where it starts the second time)
    let cases = [
        // The sink knows what it has, so nothing is written twice.
        (Behaves::StoresProgress, vec![0, 1, 2, 3, 4], "begin 0@3"),
        // The group was not told: at least once.
        (Behaves::InGroup, vec![0, 1, 2, 0, 1, 2, 3, 4], "begin 0@0"),
    ];
    for (behaves, rows, second_start) in cases {
        let what = format!("{behaves:?}");
        let mut scene = Scene::gated(behaves);
        let mut script = during_a_write(&mut scene);
        let first = if behaves == Behaves::InGroup { 0 } else { 3 };
        script.extend([
            Step::Revoke(vec![0]),
            Step::Assign(vec![0]),
            nothing(100),
            scene.open_gate(),
            records(0, first..5),
            nothing(5_000),
            scene.drain(),
        ]);
        let ran = scene.run(script);
        ran.assert_stopped(&what);
        assert_eq!(ran.rows(0), rows, "{what}");
        assert_eq!(ran.log.of("begin"), ["begin 0@0", second_start], "{what}");
    }
}

#[test]
fn a_revocation_drops_what_is_collected_of_the_partition_and_keeps_the_others() {
    let scene = Scene::new(Behaves::StoresProgress);
    let script = vec![
        Step::Assign(vec![0, 1]),
        nothing(2_000),
        records(0, 0..3),
        records(1, 0..3),
        Step::Revoke(vec![0]),
        nothing(2_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("collected");
    assert_eq!((ran.rows(0), ran.rows(1)), (vec![], vec![0, 1, 2]));
    assert_eq!(
        ran.counters.consumed, 3,
        "what was not sent was not consumed"
    );
}

#[test]
fn what_a_sink_has_accepted_is_flushed_and_stored_before_its_partition_is_given_back() {
    let scene = Scene::new(Behaves::Accepts);
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        nothing(1_000),
        Step::Revoke(vec![0]),
        nothing(1_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("accepted");
    let lines = ran.log.lines();
    let line = |text: &str| lines.iter().position(|line| line == text);
    let (stored, given_back) = (line("store 0@3"), line("give back 0"));
    assert!(stored.is_some() && stored < given_back, "{lines:?}");
}

#[test]
fn a_flush_that_takes_too_long_holds_up_no_rebalance() {
    let mut scene = Scene::gated(Behaves::Accepts);
    let gate = scene.gate.clone();
    gate.add_permits(1);
    let begun = scene.sink_begins();
    let stop = scene.stop.clone();
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        nothing(1_000),
        begun,
        Step::Revoke(vec![0]),
        scene.open_gate(),
        Step::Do(Box::new(move || stop.drain.cancel())),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("a slow flush");
    assert!(
        ran.took >= connect_kafka::REVOCATION_WITHIN,
        "{:?}",
        ran.took
    );
    assert!(ran.took < Duration::from_secs(8), "{:?}", ran.took);
    assert_eq!(ran.log.of("store"), ["store 0@0"]);
    assert_eq!(ran.log.of("give"), ["give back 0"]);
}

#[test]
fn superseded_progress_starts_every_partition_again_where_it_is_stored() {
    let scene = Scene::new(Behaves::SupersededOnce);
    let script = vec![
        Step::Assign(vec![0, 1]),
        records(0, 0..3),
        nothing(10_000),
        records(0, 0..3),
        records(1, 0..3),
        nothing(1_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("superseded");
    assert_eq!(ran.log.of("start"), ["start over"]);
    assert_eq!(ran.log.of("begin"), ["begin 0@0 1@0", "begin 0@0 1@0"]);
    assert_eq!((ran.rows(0), ran.rows(1)), (vec![0, 1, 2], vec![0, 1, 2]));
}
