#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{HashMap, HashSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn partition(topic: &str, number: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.into(),
        partition: number,
    }
}

/// Assigns, announces and begins one partition.
fn running(assignment: &mut Assignment, partition: &TopicPartition, offset: i64) -> Generation {
    let generation = assignment.assign(std::slice::from_ref(partition))[0];
    assert!(assignment.announce(partition, generation));
    assignment.start(partition, offset);
    generation
}

/// What a partition went through before a record of offset 10 comes, and whether it is delivered.
#[test]
fn a_record_is_delivered_only_while_its_partition_runs() {
    type Step = fn(&mut Assignment, &TopicPartition);
    let assign: Step = |assignment, sales| {
        assignment.assign(std::slice::from_ref(sales));
    };
    let announce: Step = |assignment, sales| {
        let generation = assignment.generation(sales).unwrap();
        assignment.announce(sales, generation);
    };
    let start_at_10: Step = |assignment, sales| assignment.start(sales, 10);
    let start_at_11: Step = |assignment, sales| assignment.start(sales, 11);
    let revoke: Step = |assignment, sales| {
        assignment.mark_revoked(std::slice::from_ref(sales));
    };
    let remove: Step = |assignment, sales| {
        assignment.remove(std::slice::from_ref(sales));
    };
    let out_of_range: Step = |assignment, sales| assignment.out_of_range(sales);
    let cases: &[(&str, &[Step], bool)] = &[
        ("never assigned", &[], false),
        ("assigned", &[assign], false),
        ("announced", &[assign, announce], false),
        (
            "begun before it was announced",
            &[assign, start_at_10],
            false,
        ),
        ("begun", &[assign, announce, start_at_10], true),
        (
            "begun after the record",
            &[assign, announce, start_at_11],
            false,
        ),
        ("revoked", &[assign, announce, start_at_10, revoke], false),
        (
            "revoked, and begun by who has not heard of it",
            &[assign, announce, revoke, start_at_10],
            false,
        ),
        (
            "revoked, and no longer out of range",
            &[
                assign,
                announce,
                start_at_10,
                out_of_range,
                revoke,
                start_at_10,
            ],
            false,
        ),
        (
            "gone",
            &[assign, announce, start_at_10, revoke, remove],
            false,
        ),
        (
            "given back, not begun",
            &[assign, announce, start_at_10, remove, assign, announce],
            false,
        ),
        (
            "given back, and begun by who has not heard of it",
            &[assign, announce, start_at_10, remove, assign, start_at_10],
            false,
        ),
        (
            "given back and begun",
            &[
                assign,
                announce,
                start_at_10,
                remove,
                assign,
                announce,
                start_at_10,
            ],
            true,
        ),
        (
            "out of range",
            &[assign, announce, start_at_10, out_of_range],
            false,
        ),
        (
            "out of range, begun anew",
            &[assign, announce, start_at_10, out_of_range, start_at_10],
            true,
        ),
    ];
    for (name, steps, expected) in cases {
        let sales = partition("sales", 3);
        let mut assignment = Assignment::default();
        for step in *steps {
            step(&mut assignment, &sales);
        }
        let delivered = assignment.deliver("sales", 3, 10);
        assert_eq!(delivered.is_some(), *expected, "{name}");
        if let Some((topic, generation)) = delivered {
            assert_eq!(&*topic, "sales", "{name}");
            assert_eq!(Some(generation), assignment.generation(&sales), "{name}");
        }
        assert!(
            assignment.deliver("sales", 4, 10).is_none(),
            "{name}: another partition"
        );
        assert!(
            assignment.deliver("users", 3, 10).is_none(),
            "{name}: another topic"
        );
    }
}

#[test]
fn a_record_is_delivered_once_and_gaps_are_fine() {
    let sales = partition("sales", 0);
    let mut assignment = Assignment::default();
    running(&mut assignment, &sales, 5);
    for (offset, expected) in [
        (4, false),
        (5, true),
        (5, false),
        (9, true),
        (8, false),
        (10, true),
    ] {
        let delivered = assignment.deliver("sales", 0, offset).is_some();
        assert_eq!(delivered, expected, "offset {offset}");
    }
    assert_eq!(assignment.position("sales", 0), Some(11));
}

/// Begun at 10, delivered up to 19: which positions may be stored?
#[test]
fn a_position_is_stored_only_forward_and_only_of_what_was_delivered() {
    let sales = partition("sales", 0);
    let check = |stored: Option<i64>, next: i64, expected: bool| {
        let mut assignment = Assignment::default();
        let generation = running(&mut assignment, &sales, 10);
        for offset in 10..20 {
            assignment.deliver("sales", 0, offset);
        }
        if let Some(stored) = stored {
            assignment.stored(&sales, stored);
        }
        assert_eq!(
            assignment.may_store(&sales, next, generation),
            expected,
            "{stored:?} then {next}"
        );
    };
    check(None, 10, true); // The start itself: so that a later process begins there.
    check(None, 15, true);
    check(None, 20, true);
    check(None, 21, false);
    check(Some(15), 15, true); // The text beside it may be another.
    check(Some(15), 14, false);
    check(Some(15), 16, true);
}

#[test]
fn a_position_of_an_older_assignment_is_not_stored() {
    let sales = partition("sales", 0);
    let mut assignment = Assignment::default();
    let before = running(&mut assignment, &sales, 0);
    assignment.deliver("sales", 0, 0);
    assignment.remove(std::slice::from_ref(&sales));
    assert!(!assignment.may_store(&sales, 1, before), "revoked");
    let after = running(&mut assignment, &sales, 0);
    assignment.deliver("sales", 0, 0);
    assert!(after > before);
    assert!(!assignment.may_store(&sales, 1, before), "given back");
    assert!(assignment.may_store(&sales, 1, after));
}

#[test]
fn positions_of_a_revoked_partition_are_stored_until_it_is_given_back() {
    let sales = partition("sales", 0);
    let mut assignment = Assignment::default();
    let generation = running(&mut assignment, &sales, 10);
    assignment.deliver("sales", 0, 10);
    let revoked = assignment.mark_revoked(&[sales.clone(), partition("sales", 1)]);
    assert_eq!(revoked, std::slice::from_ref(&sales));
    assert!(!assignment.may_start(&sales));
    assert!(!assignment.announce(&sales, generation));
    // What is read again under a new generation is not what is about to go.
    assert_eq!(assignment.start_over(), []);
    assert!(assignment.may_store(&sales, 11, generation));
    assert!(!assignment.may_store(&sales, 12, generation));
    assert_eq!(assignment.remove(&revoked), revoked);
    assert!(!assignment.may_store(&sales, 11, generation));
}

#[test]
fn starting_over_is_a_new_assignment_of_what_was_announced() {
    let (sales, users) = (partition("sales", 0), partition("users", 0));
    let mut assignment = Assignment::default();
    let before = running(&mut assignment, &sales, 0);
    assignment.deliver("sales", 0, 0);
    let unheard = assignment.assign(std::slice::from_ref(&users))[0];
    assert_eq!(assignment.start_over(), std::slice::from_ref(&sales));
    assert!(assignment.generation(&sales).unwrap() > before);
    assert!(!assignment.may_store(&sales, 1, before));
    assert!(assignment.deliver("sales", 0, 1).is_none());
    assert!(assignment.may_start(&sales));
    assert!(!assignment.may_start(&users));
    assert!(assignment.announce(&users, unheard));
    assignment.start(&sales, 0);
    assert!(assignment.deliver("sales", 0, 0).is_some());
}

#[test]
fn an_assignment_that_is_over_is_not_announced() {
    let sales = partition("sales", 0);
    let mut assignment = Assignment::default();
    let first = assignment.assign(std::slice::from_ref(&sales))[0];
    assignment.remove(std::slice::from_ref(&sales));
    assert!(!assignment.announce(&sales, first));
    let second = assignment.assign(std::slice::from_ref(&sales))[0];
    assert!(!assignment.announce(&sales, first));
    assert!(!assignment.may_start(&sales));
    assert!(assignment.announce(&sales, second));
    assert!(assignment.may_start(&sales));
}

#[test]
fn only_what_was_here_is_reported_as_revoked() {
    let (here, never) = (partition("sales", 0), partition("sales", 1));
    let mut assignment = Assignment::default();
    assignment.assign(std::slice::from_ref(&here));
    let taken = assignment.remove(&[here.clone(), never.clone(), partition("users", 0)]);
    assert_eq!(taken, vec![here]);
    assert!(assignment.all().is_empty());
}

/// The end of "some partition 0" at this offset, with these (topic, position): whose is it?
#[test]
fn an_end_moves_the_only_partition_that_can_be_meant() {
    let check = |positions: &[(&str, i32, i64)], end: i64, expected: Option<&str>| {
        let mut assignment = Assignment::default();
        for (topic, number, position) in positions {
            running(&mut assignment, &partition(topic, *number), *position);
        }
        let reached = assignment.end_reached(0, end);
        let topic = reached.map(|(partition, _)| partition.topic.to_string());
        assert_eq!(topic.as_deref(), expected, "{positions:?} end {end}");
        for (topic, number, position) in positions {
            let moved = Some(*topic) == expected && *number == 0;
            let now = assignment.position(topic, *number);
            assert_eq!(
                now,
                Some(if moved { end } else { *position }),
                "{positions:?} end {end}"
            );
        }
    };
    check(&[("sales", 0, 5)], 5, Some("sales"));
    check(&[("sales", 0, 5)], 7, Some("sales"));
    check(&[("sales", 0, 5)], 4, None);
    check(&[("sales", 1, 5)], 7, None);
    check(&[("sales", 0, 5), ("sales", 1, 5)], 7, Some("sales"));
    check(&[("sales", 0, 5), ("users", 0, 5)], 7, None);
    check(&[("sales", 0, 5), ("users", 0, 9)], 7, Some("sales"));
    check(&[("sales", 0, 7), ("users", 0, 5)], 7, None);
}

/// Against a model that knows nothing but a log of what happened: whatever the group, the owner and Kafka do in whatever
/// order, no record comes twice or from before its start within an assignment, none after a revocation, and no position
/// of an older assignment is stored.
#[test]
fn random_histories_keep_the_promises() {
    for seed in 0..300 {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let partitions = [
        partition("sales", 0),
        partition("sales", 1),
        partition("users", 0),
    ];
    let mut assignment = Assignment::default();
    let mut assigned: HashMap<TopicPartition, Generation> = HashMap::new();
    // What the model knows of each generation: where it was begun, the last offset delivered.
    let mut begun: HashMap<Generation, i64> = HashMap::new();
    let mut delivered: HashMap<Generation, i64> = HashMap::new();
    let mut announced: HashSet<Generation> = HashSet::new();
    let mut seen: HashSet<Generation> = HashSet::new();
    // A write that is under way: positions that will be stored when it ends.
    let mut writing: Vec<(TopicPartition, i64, Generation)> = Vec::new();
    for step in 0..200 {
        let which = &partitions[random.random_range(0..partitions.len())];
        match random.random_range(0..8) {
            0 if !assigned.contains_key(which) => {
                let generation = assignment.assign(std::slice::from_ref(which))[0];
                assert!(seen.insert(generation), "a generation was used again");
                assigned.insert(which.clone(), generation);
            }
            1 => {
                let taken = assignment.remove(std::slice::from_ref(which));
                assert_eq!(taken.is_empty(), assigned.remove(which).is_none());
            }
            2 => {
                if let Some(generation) = assigned.get(which) {
                    assert!(assignment.announce(which, *generation));
                    announced.insert(*generation);
                }
            }
            3 => {
                let offset = random.random_range(0..50);
                assignment.start(which, offset);
                if let Some(generation) = assigned.get(which)
                    && announced.contains(generation)
                {
                    begun.insert(*generation, offset);
                    delivered.remove(generation);
                }
            }
            4 | 5 => {
                let offset = random.random_range(0..60);
                let came = assignment.deliver(&which.topic, which.partition, offset);
                let wanted = assigned.get(which).filter(|generation| {
                    begun.get(generation).is_some_and(|start| *start <= offset)
                        && delivered.get(generation).is_none_or(|last| *last < offset)
                });
                assert_eq!(
                    came.map(|(_, generation)| generation),
                    wanted.copied(),
                    "seed {seed} step {step}"
                );
                if let Some(generation) = wanted {
                    delivered.insert(*generation, offset);
                    writing.push((which.clone(), offset + 1, *generation));
                }
            }
            6 => {
                for (partition, next, generation) in writing.drain(..) {
                    let current = assigned.get(&partition) == Some(&generation);
                    if assignment.may_store(&partition, next, generation) {
                        assert!(current, "seed {seed} step {step}: stored a stale position");
                        assignment.stored(&partition, next);
                    }
                }
            }
            _ => {
                let all: HashSet<TopicPartition> = assignment.all().into_iter().collect();
                assert_eq!(all, assigned.keys().cloned().collect(), "seed {seed}");
                for running in assignment.running() {
                    assert!(begun.contains_key(&assigned[&running]), "seed {seed}");
                }
            }
        }
    }
}
