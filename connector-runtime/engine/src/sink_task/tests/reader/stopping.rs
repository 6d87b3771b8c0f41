//! A stop in each state of the reader: what was taken is finished, nothing new is taken, and nothing is waited for that
//! may never come.

use super::*;

/// As long as a stop may take where nothing is in flight.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn a_stop_between_two_questions_about_starting_partitions_is_seen() {
    // (question, the lines that follow it)
    let cases = [
        ("committed", vec!["committed of 1000", "close"]),
        (
            "resolve",
            vec!["committed of 1000", "resolve 1000", "close"],
        ),
    ];
    for (question, expected) in cases {
        let mut scene = Scene::new(Behaves::StoresProgress);
        scene.answers.stop_at = Some((question, scene.stop.clone()));
        let ran = scene.run(vec![Step::Assign((0..1_000).collect())]);
        ran.assert_stopped(question);
        assert_eq!(ran.log.lines(), expected, "{question}");
        assert!(ran.took < AT_ONCE, "{question}: {:?}", ran.took);
    }
}

#[test]
fn a_stop_while_nothing_or_not_all_is_known_ends_at_once() {
    let cases: [(&str, Behaves, usize); 3] = [
        ("nothing assigned", Behaves::InGroup, 0),
        (
            "in back-off: Kafka does not resolve",
            Behaves::InGroup,
            usize::MAX,
        ),
        (
            "the sink cannot say where to resume",
            Behaves::CannotSayWhereToResume,
            0,
        ),
    ];
    for (name, behaves, outages) in cases {
        let mut scene = Scene::new(behaves);
        scene.answers.outages = outages;
        let mut script = Vec::new();
        if name != "nothing assigned" {
            script.push(Step::Assign(vec![0, 1]));
        }
        script.extend([nothing(100), scene.drain()]);
        let ran = scene.run(script);
        ran.assert_stopped(name);
        assert!(ran.took < AT_ONCE, "{name}: {:?}", ran.took);
        assert!(ran.writes.is_empty(), "{name}");
    }
}

#[test]
fn a_stop_while_a_batch_is_collected_leaves_it_to_the_next_start() {
    let scene = Scene::new(Behaves::StoresProgress);
    let table = scene.sink.table.clone();
    let script = vec![
        Step::Assign(vec![0]),
        nothing(2_000),
        records(0, 0..3),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("collecting");
    assert_eq!(ran.rows(0), Vec::<i64>::new());
    assert_eq!(table.lock().unwrap().next, BTreeMap::from([(0, 0)]));
}

#[test]
fn a_stop_during_a_write_waits_for_it_and_for_what_was_sent() {
    let mut scene = Scene::gated(Behaves::InGroup);
    scene.batch.max_records = 1;
    let begun = scene.sink_begins();
    // One batch is being written, one is in the channel, one waits to get into it.
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        begun,
        scene.drain(),
        scene.open_gate(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("writing");
    assert_eq!(ran.rows(0), [0, 1, 2]);
    assert_eq!(ran.log.of("store").last().unwrap(), "store 0@3");
}

#[test]
fn an_abandoned_write_is_not_waited_for() {
    let mut scene = Scene::gated(Behaves::InGroup);
    scene.batch.max_records = 1;
    let begun = scene.sink_begins();
    let script = vec![
        Step::Assign(vec![0]),
        records(0, 0..3),
        begun,
        scene.abandon(),
    ];
    let ran = scene.run(script);
    assert_eq!(ran.end, TaskEnd::Stopped);
    assert_eq!(ran.rows(0), Vec::<i64>::new());
    assert_eq!(ran.log.of("store"), ["store 0@0"]);
    assert_eq!(ran.log.lines().last().unwrap(), "close");
}

#[test]
fn a_stop_while_a_schema_is_waited_for_ends_the_wait() {
    let mut scene = Scene::new(Behaves::StoresProgress);
    // Nobody listens there.
    let registry = "url = \"http://127.0.0.1:9\"";
    scene.registry = Some(toml::from_str(registry).expect("a registry"));
    let value = "format = \"avro\"\nregistry = { }";
    scene.value = toml::from_str(value).expect("a format");
    let script = vec![
        Step::Assign(vec![0]),
        Step::Event(connect_kafka::Event::Waiting(Cause::new("no broker"))),
        avro(0),
        nothing(60_000),
        scene.drain(),
    ];
    let ran = scene.run(script);
    ran.assert_stopped("a schema");
    assert_eq!(ran.log.of("pause").len(), 1, "it polls on while it waits");
    assert_eq!(ran.rows(0), Vec::<i64>::new());
}

/// A record whose value names schema 1 of the registry.
fn avro(number: i32) -> Step {
    Step::Records(number, 0..1, Bytes::from_static(b"\0\0\0\0\x01\x00"))
}
