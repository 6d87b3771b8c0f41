//! The conformance suite for [`ProgressStore`](connect_api::ProgressStore) and the writes that move it.

mod steps;

use std::sync::Arc;

use async_trait::async_trait;
use connect_api::{Failure, OtherProgress, Position, Record, Result, Sink, Written};

use crate::records::{TOPIC, partition, record_in};
use steps::{Suite, at, expect_resumed, expect_stored, moves, resume, store_of, write};

/// A sink that stores its progress, and a view of what it wrote.
#[async_trait]
pub trait ProgressStoreUnderTest: Send {
    /// Opens the sink of this connector and `[[sinks]]` entry, always on the same external state, which is empty at
    /// first. Sinks that are open at the same time are the processes of a group.
    async fn open(&mut self, connector: &str, sink: &str) -> Result<Box<dyn Sink>>;

    /// Partition and offset of each durably written record, whichever sink wrote it, in any order.
    async fn delivered(&mut self) -> Vec<(i32, i64)>;

    /// A record that the sink takes and that `delivered` can identify.
    fn record(&self, partition: i32, offset: i64) -> Record {
        record_in(partition, offset, &format!(r#"{{"id":{offset}}}"#))
    }

    /// Loses the answer to the sink's next commit, which takes effect or does not. `false`: not supported.
    async fn lose_next_answer(&mut self, _takes_effect: bool) -> bool {
        false
    }
}

/// Runs every check in turn on the same external state.
///
/// # Panics
///
/// On the first broken promise, with its text.
pub async fn check_progress_store(store: &mut impl ProgressStoreUnderTest) {
    let mut suite = Suite {
        under_test: store,
        checks: 0,
    };
    suite.what_is_written_moves_the_progress().await;
    suite.stored_takes_over_no_partition().await;
    suite.a_batch_begins_where_the_progress_is().await;
    suite.a_successor_fences_its_predecessor().await;
    suite.one_lost_partition_supersedes_the_whole_batch().await;
    suite.positions_can_be_set().await;
    suite.other_names_are_shown_and_are_not_ours().await;
    suite.progress_can_be_erased().await;
    for takes_effect in [true, false] {
        for resumes in [true, false] {
            suite
                .a_lost_answer_is_cleared_up(takes_effect, resumes)
                .await;
        }
    }
}

const NOTHING_AT_FIRST: &str = "nothing is stored at first";

impl<S: ProgressStoreUnderTest> Suite<'_, S> {
    async fn what_is_written_moves_the_progress(&mut self) {
        const PROMISE: &str =
            "a write moves the progress, and `resume` answers in the order of the question";
        let first = self.begin();
        let mut sink = self.open().await;
        expect_stored(NOTHING_AT_FIRST, &mut sink, [None, None]).await;
        expect_resumed(NOTHING_AT_FIRST, &mut sink, [None, None]).await;
        let batch = [moves(0, first, first + 2), moves(1, first, first + 3)];
        self.expect_written(PROMISE, &mut sink, &batch).await;
        self.expect_once(PROMISE, &batch).await;
        let both = [Some(first + 2), Some(first + 3)];
        expect_stored(PROMISE, &mut sink, both).await;
        expect_resumed(PROMISE, &mut sink, both).await;
        let without_records = write(&mut sink, Vec::new(), &[moves(0, first + 2, first + 9)]).await;
        let promise = "progress moves without records";
        assert_eq!(without_records, Ok(Written::Durable), "{promise}");
        let both = [Some(first + 9), Some(first + 3)];
        expect_resumed(promise, &mut sink, both).await;
        expect_resumed("asking again changes nothing", &mut sink, both).await;
        drop(sink);
        let mut sink = self.open().await;
        expect_resumed("stored progress survives a crash", &mut sink, both).await;
    }

    async fn stored_takes_over_no_partition(&mut self) {
        const PROMISE: &str = "`stored` takes over no partition";
        let first = self.begin();
        let mut owner = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut owner, [None, None]).await;
        self.expect_written(PROMISE, &mut owner, &[moves(0, first, first + 2)])
            .await;
        let mut looking = self.open().await;
        expect_stored(PROMISE, &mut looking, [Some(first + 2), None]).await;
        self.expect_written(PROMISE, &mut owner, &[moves(0, first + 2, first + 4)])
            .await;
        expect_stored(PROMISE, &mut looking, [Some(first + 4), None]).await;
    }

    async fn a_batch_begins_where_the_progress_is(&mut self) {
        const PROMISE: &str = "a batch that does not start at the stored progress is superseded";
        let first = self.begin();
        let mut sink = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut sink, [None, None]).await;
        self.expect_written(PROMISE, &mut sink, &[moves(0, first, first + 4)])
            .await;
        // Below, inside what is written, and with a gap.
        for from in [first, first + 3, first + 5] {
            self.expect_superseded(PROMISE, &mut sink, moves(0, from, from + 4))
                .await;
            expect_stored(PROMISE, &mut sink, [Some(first + 4), None]).await;
        }
        let promise = "a superseded owner continues after it has resumed";
        expect_resumed(promise, &mut sink, [Some(first + 4), None]).await;
        self.expect_written(promise, &mut sink, &[moves(0, first + 4, first + 6)])
            .await;
    }

    async fn a_successor_fences_its_predecessor(&mut self) {
        const PROMISE: &str = "the last sink to resume is the owner, and no other can write";
        let first = self.begin();
        let mut old = self.open().await;
        let mut new = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut old, [None, None]).await;
        expect_resumed(NOTHING_AT_FIRST, &mut new, [None, None]).await;
        self.expect_superseded(PROMISE, &mut old, moves(0, first, first + 2))
            .await;
        self.expect_written(PROMISE, &mut new, &[moves(0, first, first + 2)])
            .await;
        // Also where its expectation matches what is stored.
        self.expect_superseded(PROMISE, &mut old, moves(0, first + 2, first + 3))
            .await;
        expect_resumed(PROMISE, &mut old, [Some(first + 2), None]).await;
        self.expect_superseded(PROMISE, &mut new, moves(0, first + 2, first + 3))
            .await;
        self.expect_written(PROMISE, &mut old, &[moves(0, first + 2, first + 3)])
            .await;
    }

    async fn one_lost_partition_supersedes_the_whole_batch(&mut self) {
        const PROMISE: &str = "a batch with one partition of another owner is not partly written";
        let first = self.begin();
        let mut old = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut old, [None, None]).await;
        let mut new = self.open().await;
        let resumed = store_of(&mut new).resume(&[partition(1)]).await;
        assert_eq!(resumed, Ok(vec![None]), "{PROMISE}");
        let before = self.delivered().await;
        let both = [moves(0, first, first + 2), moves(1, first, first + 2)];
        let answer = self.write(&mut old, &both).await;
        assert!(
            matches!(answer, Err(Failure::Superseded(_))),
            "{PROMISE}: got {answer:?}"
        );
        assert_eq!(self.delivered().await, before, "{PROMISE}");
        expect_stored(PROMISE, &mut new, [None, None]).await;
        let [own, lost] = both;
        self.expect_written(
            "a partition that is still owned can be written",
            &mut old,
            &[own],
        )
        .await;
        self.expect_written(PROMISE, &mut new, &[lost]).await;
    }

    async fn positions_can_be_set(&mut self) {
        const PROMISE: &str = "`store` sets positions, forwards and backwards";
        const SUPERSEDES: &str = "`store` supersedes a running owner";
        let first = self.begin();
        let mut running = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut running, [None, None]).await;
        self.expect_written(PROMISE, &mut running, &[moves(0, first, first + 5)])
            .await;
        let mut desk = self.open().await;
        // Forward, back, to the same position, and the same again.
        for next in [first + 50, first + 5, first + 5, first + 5] {
            let set = [at(1, first + 9), at(0, next)];
            assert_eq!(store_of(&mut desk).store(&set).await, Ok(()), "{PROMISE}");
            let both = [Some(next), Some(first + 9)];
            expect_stored(PROMISE, &mut desk, both).await;
            self.expect_superseded(SUPERSEDES, &mut running, moves(0, first + 5, first + 6))
                .await;
            expect_resumed(PROMISE, &mut running, both).await;
        }
        self.expect_written(
            "writing continues at the set position",
            &mut running,
            &[moves(0, first + 5, first + 6)],
        )
        .await;
    }

    async fn other_names_are_shown_and_are_not_ours(&mut self) {
        const PROMISE: &str = "progress under other names is shown, and not mixed with ours";
        let first = self.begin();
        let connector = self.connector();
        let renamed = format!("{connector}-renamed");
        let mut old = self.open().await;
        let set = [at(1, first + 1), at(0, first)];
        assert_eq!(store_of(&mut old).store(&set).await, Ok(()), "{PROMISE}");
        let topics: [Arc<str>; 2] = ["another-topic".into(), TOPIC.into()];
        // Another connector with a sink of this name, and another sink of this connector.
        for (name, sink) in [(renamed.as_str(), "rows"), (connector.as_str(), "archive")] {
            let mut new = self.open_as(name, sink).await;
            expect_resumed(PROMISE, &mut new, [None, None]).await;
            // Other checks have left progress, too.
            let others = store_of(&mut new).of_other_names(&topics).await;
            let mut others = others.unwrap_or_else(|failure| panic!("{PROMISE}: {failure}"));
            others.retain(|other| *other.connector == *connector && *other.sink == *"rows");
            let other = |position: &Position| OtherProgress {
                connector: connector.as_str().into(),
                sink: "rows".into(),
                partition: position.partition.clone(),
                next: position.next,
            };
            others.sort_by(|left, right| left.partition.cmp(&right.partition));
            let [last, first_of_both] = &set;
            assert_eq!(others, [other(first_of_both), other(last)], "{PROMISE}");
            for unrelated in [&topics[..1], &[]] {
                let others = store_of(&mut new).of_other_names(unrelated).await;
                assert_eq!(others, Ok(Vec::new()), "{PROMISE}: of {unrelated:?}");
            }
            let begun = write(&mut new, Vec::new(), &[moves(0, first, first + 1)]).await;
            assert_eq!(begun, Ok(Written::Durable), "{PROMISE}");
            let others = store_of(&mut new).of_other_names(&topics).await;
            let promise = "a connector with its own progress is shown no other";
            assert_eq!(others, Ok(Vec::new()), "{promise}");
            expect_stored(PROMISE, &mut old, [Some(first), Some(first + 1)]).await;
        }
    }

    async fn progress_can_be_erased(&mut self) {
        const PROMISE: &str = "erasing deletes the progress of the named topics only";
        let first = self.begin();
        let connector = self.connector();
        let mut sink = self.open().await;
        let set = [at(0, first), at(1, first + 1)];
        let both = [Some(first), Some(first + 1)];
        assert_eq!(store_of(&mut sink).store(&set).await, Ok(()), "{PROMISE}");
        let mut neighbour = self.open_as(&format!("{connector}-2"), "rows").await;
        let stored = store_of(&mut neighbour).store(&set).await;
        assert_eq!(stored, Ok(()), "{PROMISE}");
        expect_resumed(PROMISE, &mut sink, both).await;
        let unrelated: [Arc<str>; 1] = ["another-topic".into()];
        let kept = store_of(&mut sink).erase(&unrelated).await;
        assert_eq!(kept, Ok(()), "{PROMISE}");
        expect_stored(PROMISE, &mut sink, both).await;
        let erased = store_of(&mut sink).erase(&[TOPIC.into()]).await;
        assert_eq!(erased, Ok(()), "{PROMISE}");
        expect_stored(PROMISE, &mut sink, [None, None]).await;
        expect_stored(PROMISE, &mut neighbour, both).await;
        let late = write(&mut sink, Vec::new(), &[moves(0, first, first + 1)]).await;
        assert!(
            matches!(late, Err(Failure::Superseded(_))),
            "`erase` supersedes a running owner, got {late:?}"
        );
    }

    async fn a_lost_answer_is_cleared_up(&mut self, takes_effect: bool, resumes: bool) {
        const PROMISE: &str = "a batch whose commit got no answer is written once";
        let first = self.begin();
        let mut sink = self.open().await;
        expect_resumed(NOTHING_AT_FIRST, &mut sink, [None, None]).await;
        let before = [moves(0, first, first + 2)];
        self.expect_written(PROMISE, &mut sink, &before).await;
        if !self.under_test.lose_next_answer(takes_effect).await {
            return;
        }
        let batch = [moves(0, first + 2, first + 5), moves(1, first, first + 2)];
        let answer = self.write(&mut sink, &batch).await;
        assert!(
            matches!(answer, Err(Failure::Retry(_) | Failure::Superseded(_))),
            "{PROMISE}: without an answer it is unknown whether it arrived, got {answer:?}"
        );
        let after = [Some(first + 5), Some(first + 2)];
        let mut is_written = false;
        if resumes {
            let resumed = resume(&mut sink).await;
            is_written = resumed == after;
            assert_eq!(
                is_written, takes_effect,
                "{PROMISE}: resumed at {resumed:?}"
            );
        }
        // Continues as the engine would: with the same batch, or from where the sink says.
        while !is_written {
            match self.write(&mut sink, &batch).await {
                Ok(_) => is_written = true,
                Err(Failure::Retry(_)) => {}
                Err(Failure::Superseded(_)) => is_written = resume(&mut sink).await == after,
                other => panic!("{PROMISE}: got {other:?}"),
            }
        }
        self.expect_once(PROMISE, &batch).await;
        self.expect_once(PROMISE, &before).await;
        expect_stored(PROMISE, &mut sink, after).await;
        self.expect_written(
            "the owner continues after a lost answer",
            &mut sink,
            &[moves(0, first + 5, first + 6)],
        )
        .await;
    }
}
