//! The promises of an accepting sink when a call fails, is dropped, or the sink ends.

use std::collections::BTreeMap;

use super::{AcceptingSinkUnderTest, Followed, Suite};
use crate::conformance::cancelled;

impl<S: AcceptingSinkUnderTest> Suite<'_, S> {
    /// One partition is already held, the other is new: a sink must not keep the half that it could write.
    pub(super) async fn a_failed_write_changes_nothing(&mut self) {
        const PROMISE: &str = "after a failed write nothing of its batch counts, and records accepted before are still held";
        let mut followed = self.open().await;
        let first = self.records(&followed, 0, 1);
        let written = followed.write(first).await;
        assert_eq!(written, Ok(()), "{PROMISE}");
        if !self.under_test.set_outage(true).await {
            return self.finish(PROMISE, followed).await;
        }
        let most = self.under_test.most_held() as i64;
        let mut records = self.records(&followed, 0, most);
        records.extend(self.records(&followed, 1, most));
        let written = followed.write(records.clone()).await;
        self.under_test.set_outage(false).await;
        if written.is_err() {
            followed.flush(PROMISE).await;
            self.expect_once(PROMISE, &followed).await;
            let again = followed.write(records).await;
            assert_eq!(again, Ok(()), "{PROMISE}: the retry");
        }
        self.finish(PROMISE, followed).await;
    }

    pub(super) async fn after_a_failed_flush_nothing_is_there_twice(&mut self) {
        const PROMISE: &str =
            "after a failed flush the records are replayed, and each is finished once";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        if self.under_test.set_outage(true).await {
            let flushed = followed.sink.flush().await;
            self.under_test.set_outage(false).await;
            match flushed {
                Ok(positions) => followed.report(&positions),
                Err(_) => followed.forget(&[0, 1]).await,
            }
            self.expect_once(PROMISE, &followed).await;
            self.write(&mut followed, PROMISE, 2).await;
        }
        self.finish(PROMISE, followed).await;
    }

    pub(super) async fn a_crash_loses_only_what_is_read_again(&mut self) {
        const PROMISE: &str = "after a crash, the finished and the replayed records are complete";
        for rounds in 1..8 {
            let mut followed = self.open().await;
            for _ in 0..rounds {
                self.write(&mut followed, PROMISE, 1).await;
            }
            self.crash(PROMISE, followed).await;
        }
    }

    /// The n-th wait of a write, and then of a flush, is its last.
    pub(super) async fn a_cancelled_call_does_no_harm(&mut self, waits: u32) {
        const PROMISE: &str = "a call dropped half-way loses nothing";
        let mut followed = self.open().await;
        let records = self.records(&followed, 0, 2);
        let _ = cancelled(followed.write(records), waits).await;
        self.crash(PROMISE, followed).await;
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        let flushed = cancelled(followed.sink.flush(), waits).await;
        if let Some(Ok(positions)) = flushed {
            followed.report(&positions);
        }
        self.crash(PROMISE, followed).await;
    }

    /// Drops the sink and continues with another one where the engine would. Records that were finished and not
    /// reported may occur twice. Dropping must finish nothing.
    async fn crash(&mut self, promise: &str, followed: Followed) {
        let before = self.finished().await;
        let resume = [0, 1].map(|number| followed.resume(number));
        let ends = [0, 1].map(|number| followed.next(number).max(resume[number as usize] + 1));
        drop(followed);
        assert_eq!(
            self.finished().await,
            before,
            "{promise}: dropping a sink finishes nothing"
        );
        let mut again = self.open().await;
        assert_eq!(
            self.finished().await,
            before,
            "{promise}: records not finished before a crash are not finished by the next sink"
        );
        for (number, (resume, end)) in (0..).zip(resume.into_iter().zip(ends)) {
            again.begin(number, resume);
            let records = self.records(&again, number, end - resume);
            let written = again.write(records).await;
            assert_eq!(written, Ok(()), "{promise}: the retry");
        }
        again.flush(promise).await;
        let unreported: BTreeMap<(i32, i64), usize> = before
            .into_iter()
            .filter(|((number, offset), _)| *offset >= resume[*number as usize])
            .collect();
        self.expect_durable(promise, &again, &unreported).await;
        self.over(&again);
    }

    pub(super) async fn another_task_is_left_alone(&mut self) {
        const PROMISE: &str = "opening a sink does not affect what another task has accepted";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        let other = self.open().await;
        drop(other);
        self.finish(PROMISE, followed).await;
    }

    pub(super) async fn closing_finishes_nothing_silently(&mut self) {
        const PROMISE: &str = "closing finishes nothing without reporting it";
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        let finished = self.finished().await;
        let closed = followed.sink.close().await;
        assert_eq!(closed, Ok(()), "{PROMISE}");
        assert_eq!(self.finished().await, finished, "{PROMISE}");
        self.crash(PROMISE, followed).await;
        // As at the end of a task.
        let mut followed = self.open().await;
        self.write(&mut followed, PROMISE, 1).await;
        followed.flush(PROMISE).await;
        assert_eq!(followed.sink.close().await, Ok(()), "{PROMISE}");
        self.expect_once(PROMISE, &followed).await;
        self.over(&followed);
    }

    /// Every held record is finished once.
    async fn finish(&mut self, promise: &str, mut followed: Followed) {
        followed.flush(promise).await;
        self.expect_once(promise, &followed).await;
        self.over(&followed);
    }
}
