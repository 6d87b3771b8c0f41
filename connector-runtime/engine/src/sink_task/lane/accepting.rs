//! Sinks that accept records now and make them durable later.
//!
//! A durable write is counted and reported immediately. Accepted records stay in flight until the sink reports them as durable,
//! by itself or after a flush. The engine flushes when `flush_by` passes, before too many bytes are in flight (P5), before
//! revoked partitions are given back, and at the end of the task. Records that are lost before (a flush failed, or a partition
//! was lost) were never reported, so the next owner reads them again (P1).

use connect_api::{Cause, Failure, ProgressHome, TopicPartition, Written};

use std::time::{Duration, Instant};

use super::{Ended, Lane};
use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::sink_task::accepted::{Accepted, DurableRecords};
use crate::sink_task::halves::Accepts;
use crate::sink_task::isolation::{Isolation, Write};

/// How a flush ended. The outer error: the sink breaks its contract.
pub(crate) type Flushed = Result<Result<(), Failure>, TaskEnd>;

/// The records that the sink holds without making them durable, and the deadline for them.
pub(crate) struct Accepting {
    pub(super) accepted: Accepted,
    flush_by: Option<tokio::time::Instant>,
    backoff: Backoff,
    /// The most bytes that may be accepted and not durable.
    limit: u64,
    /// Tells the reader that a sink accepts.
    accepts: Accepts,
}

impl Accepting {
    pub(crate) fn up_to(limit: u64, accepts: Accepts) -> Accepting {
        Accepting {
            accepted: Accepted::default(),
            flush_by: None,
            backoff: Backoff::new(),
            limit,
            accepts,
        }
    }

    pub(crate) fn flush_by(&self) -> Option<tokio::time::Instant> {
        self.flush_by
    }

    pub(crate) fn holds_records(&self) -> bool {
        !self.accepted.is_empty()
    }
}

impl Lane {
    /// A write succeeded. Durable records are counted and reported; accepted ones stay in flight.
    pub(super) async fn written(
        &mut self,
        isolation: &mut Isolation<'_>,
        write: &Write<'_>,
        written: Written,
    ) -> Result<(), TaskEnd> {
        self.waiting.over();
        if written == Written::Durable && self.accepting.accepted.is_empty() {
            self.durable(isolation.written(write)).await;
            return Ok(());
        }
        self.accepting.accepted.add(isolation.parts(write));
        isolation.written(write);
        let durable = match written {
            Written::Durable => self.accepting.accepted.all_durable(),
            Written::Accepted { .. } if self.home == ProgressHome::KafkaTransaction => {
                return Err(self.broken_promise(
                    "accepts records, but their progress has already moved in the Kafka transaction",
                ));
            }
            Written::Accepted { durable, flush_by } => {
                self.accepting.accepts.set();
                self.accepting.flush_by = flush_by.map(tokio::time::Instant::from_std);
                let durable = self.accepting.accepted.durable(&durable);
                durable.map_err(TaskEnd::Crashed)?
            }
        };
        if self.accepting.accepted.is_empty() {
            self.accepting.flush_by = None;
        }
        self.durable(durable).await;
        Ok(())
    }

    /// Counts and reports records that became durable.
    async fn durable(&mut self, durable: DurableRecords) {
        if durable.positions.is_empty() {
            return;
        }
        self.meters.ended(durable.end);
        if let Some(first_read) = durable.first_read {
            let seconds = first_read.elapsed().as_secs_f64();
            self.meters
                .batch_durable(seconds, durable.last_timestamp_ms);
        }
        self.report(&durable.positions).await;
    }

    /// Flushes before a write whose records would exceed the limit together with those that are accepted (P5).
    pub(super) async fn make_room(&mut self, bytes: u64) -> Result<(), Ended> {
        let accepted = self.accepting.accepted.bytes();
        if accepted > 0 && accepted + bytes > self.accepting.limit {
            self.flush().await?;
        }
        Ok(())
    }

    /// Makes everything durable that the sink has accepted. If that fails nothing of it counts: the task starts over at the
    /// last durable positions, after the wait that the policy demands.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        let tried = self.try_flush().await;
        self.after_flush(tried).await
    }

    /// What follows from a flush.
    pub(crate) async fn after_flush(&mut self, tried: Flushed) -> Result<(), Ended> {
        let Err(failure) = tried? else {
            return Ok(());
        };
        self.forget_accepted().await;
        let delay = self.accepting.backoff.next_delay();
        self.accepting.backoff.grow();
        self.wait_after("flush_retried", &failure, delay).await?;
        Err(Ended::StartOver)
    }

    /// Waits as the policy demands after a flush or a commit that failed. `Err`: it is not tried again.
    pub(super) async fn wait_after(
        &mut self,
        event: &'static str,
        failure: &Failure,
        delay: Duration,
    ) -> Result<(), Ended> {
        let attempts = Attempts {
            next_delay: delay,
            superseded_lately: self.supersessions.lately(Instant::now()),
            ..Attempts::default()
        };
        match decide(Stage::Flush, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => Ok(self.waiting.retry(event, failure, delay).await?),
            Directive::GiveBack => Err(self.superseded(failure)),
            Directive::End(end) => Err(end.into()),
            other => unreachable!("a flush names no record, so not {other:?}"),
        }
    }

    /// Makes everything durable that the sink has accepted.
    pub(crate) async fn try_flush(&mut self) -> Flushed {
        self.forget_stale().await;
        if self.accepting.accepted.is_empty() {
            return Ok(Ok(()));
        }
        let positions = match self.sink.flush().await {
            Ok(positions) => positions,
            Err(failure) => return Ok(Err(failure)),
        };
        let durable = self.accepting.accepted.durable(&positions);
        self.waiting.over();
        self.durable(durable.map_err(TaskEnd::Crashed)?).await;
        if !self.accepting.accepted.is_empty() {
            return Err(self.broken_promise(
                "has flushed, but did not report every accepted record as durable",
            ));
        }
        self.accepting.flush_by = None;
        self.accepting.backoff = Backoff::new();
        Ok(Ok(()))
    }

    /// Flushes what the sink still holds when the task ends. If that fails, the next start reads it again.
    pub(crate) async fn flush_at_the_end(&mut self) {
        let why = match self.try_flush().await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(TaskEnd::Crashed(cause)) => cause.to_string(),
            Err(end) => unreachable!("a sink that breaks its contract crashes, so not {end:?}"),
        };
        self.forget_accepted().await;
        tracing::warn!(
            event = "flush_failed",
            connector = %self.waiting.connector,
            task = self.waiting.task,
            cause = why,
            "records that the sink had accepted are not durable: they are read again at the next start"
        );
    }

    /// The sink drops what it accepted of partitions that were revoked or are read again.
    pub(crate) async fn forget_stale(&mut self) {
        let stale = self.accepting.accepted.stale(&self.generations);
        self.forget(&stale).await;
    }

    pub(crate) async fn forget_accepted(&mut self) {
        let all = self.accepting.accepted.partitions();
        self.forget(&all).await;
    }

    async fn forget(&mut self, partitions: &[TopicPartition]) {
        if partitions.is_empty() {
            return;
        }
        self.sink.forget(partitions).await;
        let given_back = self.accepting.accepted.forget(partitions);
        self.give_back(given_back);
        if self.accepting.accepted.is_empty() {
            self.accepting.flush_by = None;
        }
    }

    fn broken_promise(&self, what: &str) -> TaskEnd {
        let message = format!(
            "the sink `{}` {what}: this is a bug of the plugin",
            self.kind
        );
        TaskEnd::Crashed(Cause::new(message))
    }
}
