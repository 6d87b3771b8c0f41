//! What a batch holds: by count, bytes and age, and progress without records.

use super::*;

fn config(max_records: u32, max_bytes: u64, linger_ms: u64) -> BatchConfig {
    BatchConfig {
        max_records,
        max_bytes: Size::from_bytes(max_bytes),
        linger: connect_api::Duration::from_millis(linger_ms),
        ..BatchConfig::default()
    }
}

#[test]
fn a_batch_is_sent_when_it_is_full_or_old_enough() {
    let all = [0, 1, 2, 3, 4, 5].map(|offset| (0, offset)).to_vec();
    let cut = |at: &[usize]| -> Vec<Vec<(i32, i64)>> {
        let mut rest = all.clone();
        let mut batches = Vec::new();
        for length in at {
            let next = rest.split_off(*length);
            batches.push(std::mem::replace(&mut rest, next));
        }
        batches
    };
    // (name, configuration, how long nothing comes after each record, sizes of the batches)
    let cases = [
        ("by count", config(4, 1 << 20, 200), 0, cut(&[4, 2])),
        (
            "by bytes, the last one over the limit",
            config(100, 25, 200),
            0,
            cut(&[3, 3]),
        ),
        (
            "by age, from the first record on",
            config(100, 1 << 20, 200),
            90,
            cut(&[3, 3]),
        ),
        (
            "all within the age",
            config(100, 1 << 20, 1_000),
            90,
            cut(&[6]),
        ),
        (
            "one record larger than a batch passes alone",
            config(100, 5, 200),
            0,
            cut(&[1; 6]),
        ),
    ];
    for (name, batch, pause, expected) in cases {
        let mut scene = Scene::new(Behaves::StoresProgress);
        scene.batch = batch;
        let mut script = vec![Step::Assign(vec![0]), nothing(2_000)];
        for offset in 0..6 {
            script.extend([records(0, offset..offset + 1), nothing(pause)]);
        }
        script.extend([nothing(2_000), scene.drain()]);
        let ran = scene.run(script);
        ran.assert_stopped(name);
        let mut writes = ran.writes;
        writes.retain(|write| !write.is_empty());
        assert_eq!(writes, expected, "{name}");
    }
}

#[test]
fn the_end_of_a_partition_behind_transaction_markers_is_progress_without_a_record() {
    for behaves in [Behaves::InGroup, Behaves::StoresProgress] {
        let scene = Scene::new(behaves);
        let table = scene.sink.table.clone();
        let script = vec![
            Step::Assign(vec![0]),
            records(0, 0..3),
            nothing(1_000),
            Step::End(0, 5),
            nothing(1_000),
            // One that was delivered already says nothing new.
            Step::End(0, 4),
            nothing(1_000),
            scene.drain(),
        ];
        let ran = scene.run(script);
        ran.assert_stopped("markers");
        assert_eq!(table.lock().unwrap().next, BTreeMap::from([(0, 5)]));
        assert_eq!(ran.rows(0), [0, 1, 2]);
        if behaves == Behaves::InGroup {
            assert_eq!(ran.log.of("store").last().unwrap(), "store 0@5");
        }
    }
}

#[test]
fn a_write_of_seconds_pauses_the_partitions_and_the_feed_is_polled_on() {
    let mut scene = Scene::gated(Behaves::StoresProgress);
    scene.batch = config(1, 1 << 20, 200);
    // The first is written, the second waits for the writer, and the third for a place in the channel.
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        nothing(60_000),
        scene.open_gate(),
        nothing(1_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("a slow write");
    assert_eq!(ran.log.of("pause").len(), 1);
    assert_eq!(ran.log.of("resume").len(), 1);
    assert_eq!(ran.rows(0), [0, 1, 2]);
}
