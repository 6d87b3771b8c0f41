//! The decisions as tables.

use connect_api::Timestamp;

use super::*;
use crate::sink_task::lane_positions::metadata;

fn starts(at: StartAt, store: bool) -> Result<LaneStartAt, String> {
    Ok(LaneStartAt {
        at,
        store,
        group_differs: None,
    })
}

fn check(
    stored: Stored,
    committed: Option<i64>,
    start: Option<StartAt>,
    later: bool,
    expected: Result<LaneStartAt, String>,
) {
    let known = Known {
        stored,
        committed,
        start,
        later,
    };
    assert_eq!(decide("orders", known), expected, "{known:?}");
}

#[test]
fn a_stored_position_always_wins() {
    for start in [
        None,
        Some(StartAt::Latest),
        Some(StartAt::Committed),
        Some(StartAt::Earliest),
    ] {
        check(
            Stored::InSink(Some(7)),
            Some(7),
            start,
            false,
            starts(StartAt::Offset(7), false),
        );
        check(
            Stored::InSink(Some(7)),
            None,
            start,
            true,
            starts(StartAt::Offset(7), false),
        );
        check(
            Stored::InGroup,
            Some(9),
            start,
            false,
            starts(StartAt::Offset(9), false),
        );
    }
    let differs = Ok(LaneStartAt {
        at: StartAt::Offset(7),
        store: false,
        group_differs: Some(3),
    });
    check(Stored::InSink(Some(7)), Some(3), None, false, differs);
}

#[test]
fn without_a_position_start_decides_and_is_stored() {
    for stored in [Stored::InSink(None), Stored::InGroup] {
        check(stored, None, None, false, starts(StartAt::Earliest, true));
        check(
            stored,
            None,
            Some(StartAt::Latest),
            false,
            starts(StartAt::Latest, true),
        );
        check(
            stored,
            None,
            Some(StartAt::Time(Timestamp::UNIX_EPOCH)),
            false,
            starts(StartAt::Time(Timestamp::UNIX_EPOCH), true),
        );
    }
    check(
        Stored::InSink(None),
        Some(4),
        Some(StartAt::Committed),
        false,
        starts(StartAt::Offset(4), true),
    );
    check(
        Stored::InSink(None),
        Some(4),
        Some(StartAt::Latest),
        false,
        starts(StartAt::Latest, true),
    );
}

#[test]
fn a_later_partition_begins_at_its_first_record_whatever_start_says() {
    for start in [
        None,
        Some(StartAt::Latest),
        Some(StartAt::Time(Timestamp::UNIX_EPOCH)),
        Some(StartAt::Committed),
    ] {
        check(
            Stored::InGroup,
            None,
            start,
            true,
            starts(StartAt::Earliest, true),
        );
    }
}

#[test]
fn a_question_is_asked_rather_than_guessed() {
    let asks = |stored, committed, start| {
        let known = Known {
            stored,
            committed,
            start,
            later: false,
        };
        decide("orders", known).is_err()
    };
    assert!(asks(Stored::InSink(None), Some(4), None));
    assert!(asks(Stored::InGroup, None, Some(StartAt::Committed)));
}

/// A lane `rows` with `lines` beside it, as the group knows them.
fn group(next: i64, lanes: &[(&str, i64)]) -> GroupOffset {
    let names: Vec<_> = lanes.iter().map(|(name, _)| (*name).into()).collect();
    let positions: Vec<i64> = lanes.iter().map(|(_, next)| *next).collect();
    GroupOffset::of(&connect_kafka::Committed {
        next,
        metadata: metadata(&names, &positions).to_string(),
    })
}

#[test]
fn a_lane_that_was_added_later_begins_where_its_start_says_and_nobody_is_asked() {
    let without = group(70, &[("lines", 70)]);
    let with = group(40, &[("lines", 70), ("rows", 40)]);
    let of_another_tool = GroupOffset::of(&connect_kafka::Committed {
        next: 7,
        metadata: String::new(),
    });
    let starts = |at, store| Some((at, store));
    let (new_rows, in_group) = (Stored::InSink(None), Stored::InGroup);
    // (what is stored, the group, durable in this process, start, later partition, expected; `None`: a question)
    let cases = [
        // New: whatever the group's offset is.
        (
            new_rows,
            Some(&without),
            None,
            None,
            true,
            starts(StartAt::Earliest, true),
        ),
        (
            in_group,
            Some(&without),
            None,
            None,
            true,
            starts(StartAt::Earliest, true),
        ),
        (
            new_rows,
            Some(&without),
            None,
            Some(StartAt::Latest),
            true,
            starts(StartAt::Latest, true),
        ),
        (
            in_group,
            Some(&without),
            None,
            Some(StartAt::Latest),
            true,
            starts(StartAt::Latest, true),
        ),
        (
            new_rows,
            Some(&without),
            None,
            Some(StartAt::Committed),
            true,
            starts(StartAt::Offset(70), true),
        ),
        (
            in_group,
            Some(&without),
            None,
            Some(StartAt::Committed),
            true,
            starts(StartAt::Offset(70), false),
        ),
        // Known: its own position.
        (
            in_group,
            Some(&with),
            None,
            Some(StartAt::Latest),
            true,
            starts(StartAt::Offset(40), false),
        ),
        (
            in_group,
            Some(&with),
            Some(55),
            None,
            false,
            starts(StartAt::Offset(55), false),
        ),
        (
            Stored::InSink(Some(45)),
            Some(&with),
            None,
            None,
            false,
            starts(StartAt::Offset(45), false),
        ),
        (
            Stored::InSink(Some(45)),
            Some(&without),
            None,
            None,
            false,
            starts(StartAt::Offset(45), false),
        ),
        // Known, and its sink has lost its progress: only a person knows.
        (new_rows, Some(&with), None, None, false, None),
        // Committed by a program that knew no lanes.
        (
            in_group,
            Some(&of_another_tool),
            None,
            None,
            false,
            starts(StartAt::Offset(7), false),
        ),
        (new_rows, Some(&of_another_tool), None, None, false, None),
        // A partition that came later: everything in it is new.
        (
            in_group,
            None,
            None,
            Some(StartAt::Latest),
            true,
            starts(StartAt::Earliest, true),
        ),
        (
            in_group,
            None,
            None,
            Some(StartAt::Latest),
            false,
            starts(StartAt::Latest, true),
        ),
    ];
    for (stored, group, durable, start, is_later, expected) in cases {
        let known = known(stored, group, durable, "rows", start, is_later);
        let decided = decide("sales", known).ok();
        let decided = decided.map(|start| (start.at, start.store));
        assert_eq!(
            decided, expected,
            "{stored:?} {group:?} {durable:?} {start:?} {is_later}"
        );
    }
}
