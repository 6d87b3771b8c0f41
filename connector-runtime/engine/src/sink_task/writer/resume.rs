//! Asking the sinks where assigned partitions resume.
//!
//! A sink that cannot answer now is asked again later, between batches: a predecessor that still holds these partitions must
//! not delay the others.

use connect_api::Failure;

use super::Writer;
use crate::backoff::Backoff;
use crate::control::TaskEnd;
use crate::policy::{Attempts, Directive, Stage, decide};
use crate::sink_task::assignment::Assigned;
use crate::sink_task::halves::{Resumed, WriterReport};

/// A question to all sinks: where do these partitions resume?
pub(crate) struct ToResume {
    partitions: Vec<Assigned>,
    at: tokio::time::Instant,
    backoff: Backoff,
}

impl ToResume {
    pub(super) fn now(partitions: Vec<Assigned>) -> ToResume {
        ToResume {
            partitions,
            at: tokio::time::Instant::now(),
            backoff: Backoff::new(),
        }
    }
}

/// Returns when the first question is due. Without a question it never returns.
pub(super) async fn next_due(questions: &[ToResume]) {
    match questions.first() {
        Some(first) => tokio::time::sleep_until(first.at).await,
        None => std::future::pending().await,
    }
}

impl Writer {
    /// Asks every sink, and reports the answers once all are there.
    pub(super) async fn resume(&mut self, mut asked: ToResume) -> Result<(), TaskEnd> {
        asked.partitions.retain(|asked| {
            self.generations
                .is_current(&asked.partition, asked.generation)
        });
        if asked.partitions.is_empty() {
            return Ok(());
        }
        let mut stored = vec![Vec::with_capacity(self.lanes.len()); asked.partitions.len()];
        for lane in &mut self.lanes {
            match lane.stored(&asked.partitions, &self.other_names).await {
                Ok(of_lane) => {
                    for (all, one) in stored.iter_mut().zip(of_lane) {
                        all.push(one);
                    }
                }
                Err(failure) => return self.ask_again(asked, &failure),
            }
        }
        self.waiting.over();
        let resumed = asked.partitions.into_iter().zip(stored);
        let resumed = resumed.map(|(assigned, stored)| Resumed { assigned, stored });
        let _ = self
            .reports
            .send(WriterReport::Resumed(resumed.collect()))
            .await;
        Ok(())
    }

    fn ask_again(&mut self, mut asked: ToResume, failure: &Failure) -> Result<(), TaskEnd> {
        let attempts = Attempts {
            next_delay: asked.backoff.next_delay(),
            ..Attempts::default()
        };
        match decide(Stage::Resume, failure, &self.errors, &attempts) {
            Directive::RetryIn(delay) => {
                self.waiting
                    .show("resume_retried", &failure.cause(), Some(delay));
                asked.backoff.grow();
                asked.at = tokio::time::Instant::now() + delay;
                self.to_resume.push(asked);
                self.to_resume.sort_by_key(|asked| asked.at);
                Ok(())
            }
            Directive::End(end) => Err(end),
            other => unreachable!("no record takes part in a resume, so not {other:?}"),
        }
    }
}
