//! What decides where one lane of a partition begins: its own position, and whether it is new.

use crate::pipeline::Stored;
use crate::pipeline::lane_positions::GroupOffset;
use crate::pipeline::start::Known;
use connect_config::Start;

/// What is known about one lane of a partition. A lane that was not there when the group's offset was committed is new:
/// that offset is no answer and no question, and the partition is not later than the lane.
pub(super) fn known(
    stored: Stored,
    group: Option<&GroupOffset>,
    durable: Option<i64>,
    lane: &str,
    start: Option<Start>,
    is_later: bool,
) -> Known {
    let is_new = durable.is_none() && group.is_some_and(|group| group.is_new(lane));
    let next = group.map(|group| group.next);
    let committed = match (stored, start) {
        (_, Some(Start::Group)) if is_new => next,
        _ if is_new => None,
        (Stored::InGroup, _) => group.and_then(|group| group.of_lane(lane)).max(durable),
        (Stored::InSink(_), _) => next,
    };
    Known {
        stored,
        committed,
        start,
        later: is_later && !is_new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::lane_positions::metadata;
    use crate::pipeline::start::{Begin, Decision, decide};

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
        let begin = |at, store| Some((at, store));
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
                begin(Begin::Earliest, true),
            ),
            (
                in_group,
                Some(&without),
                None,
                None,
                true,
                begin(Begin::Earliest, true),
            ),
            (
                new_rows,
                Some(&without),
                None,
                Some(Start::Latest),
                true,
                begin(Begin::Latest, true),
            ),
            (
                in_group,
                Some(&without),
                None,
                Some(Start::Latest),
                true,
                begin(Begin::Latest, true),
            ),
            (
                new_rows,
                Some(&without),
                None,
                Some(Start::Group),
                true,
                begin(Begin::At(70), true),
            ),
            (
                in_group,
                Some(&without),
                None,
                Some(Start::Group),
                true,
                begin(Begin::At(70), false),
            ),
            // Known: its own position.
            (
                in_group,
                Some(&with),
                None,
                Some(Start::Latest),
                true,
                begin(Begin::At(40), false),
            ),
            (
                in_group,
                Some(&with),
                Some(55),
                None,
                false,
                begin(Begin::At(55), false),
            ),
            (
                Stored::InSink(Some(45)),
                Some(&with),
                None,
                None,
                false,
                begin(Begin::At(45), false),
            ),
            (
                Stored::InSink(Some(45)),
                Some(&without),
                None,
                None,
                false,
                begin(Begin::At(45), false),
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
                begin(Begin::At(7), false),
            ),
            (new_rows, Some(&of_another_tool), None, None, false, None),
            // A partition that came later: everything in it is new.
            (
                in_group,
                None,
                None,
                Some(Start::Latest),
                true,
                begin(Begin::Earliest, true),
            ),
            (
                in_group,
                None,
                None,
                Some(Start::Latest),
                false,
                begin(Begin::Latest, true),
            ),
        ];
        for (stored, group, durable, start, is_later, expected) in cases {
            let known = known(stored, group, durable, "rows", start, is_later);
            let decided = match decide("sales", known) {
                Decision::Ask(_) => None,
                Decision::Begin { at, store, .. } => Some((at, store)),
            };
            assert_eq!(
                decided, expected,
                "{stored:?} {group:?} {durable:?} {start:?} {is_later}"
            );
        }
    }
}
