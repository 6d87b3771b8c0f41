//! Log lines about records that a connector of either direction rejects: the first of each kind in a minute, then a count of those left out.
//!
//! A wrong setting rejects every record of a topic. Metrics and the dead letter topic have each of them; the log needs
//! enough to see what is wrong.

mod rate_limit;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::rate_limit::RateLimit;
use crate::records::dead_letter::Letter;

/// Lines per stage and kind in each [`PERIOD`].
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);
/// How soon a period that is over is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Of one connector, shared by its tasks.
#[derive(Clone)]
pub(crate) struct RejectionLog(Arc<Mutex<RateLimit<Kind>>>);

/// What lines are limited by; the labels of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    stage: &'static str,
    kind: &'static str,
}

impl Default for RejectionLog {
    fn default() -> RejectionLog {
        RejectionLog(Arc::new(Mutex::new(RateLimit::new(LINES, PERIOD))))
    }
}

impl RejectionLog {
    pub(crate) fn log(&self, connector: &str, task: u32, letter: &Letter) {
        let (origin, rejection) = (&letter.origin, &letter.rejection);
        let kind = Kind {
            stage: rejection.stage.as_str(),
            kind: rejection.kind,
        };
        if !self.0.lock().admits(kind, Instant::now()) {
            return;
        }
        tracing::warn!(
            event = "record_rejected",
            connector,
            task,
            sink = letter.lane.as_deref(),
            topic = %origin.topic,
            // A source's record has none before it is produced; its offset is its index in the poll.
            partition = (origin.partition >= 0).then_some(origin.partition),
            offset = origin.offset,
            stage = kind.stage,
            kind = kind.kind,
            by = %rejection.by,
            reason = %rejection.message(),
        );
    }

    /// Logs what was left out, once its period is over; never returns.
    pub(crate) async fn say_what_is_left_out(&self, connector: &str) -> Infallible {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let over = self.0.lock().take_over(Instant::now());
            say(connector, over);
        }
    }

    /// The connector's run has ended: logs what was left out and not said yet.
    pub(crate) fn end(&self, connector: &str) {
        let all = self.0.lock().take_all();
        say(connector, all);
    }
}

fn say(connector: &str, left_out: Vec<(Kind, u64)>) {
    for (Kind { stage, kind }, left_out) in left_out {
        tracing::warn!(
            event = "rejections_left_out",
            connector,
            stage,
            kind,
            left_out,
            "so many more records were rejected at this stage for this kind of reason; each is counted in the metrics"
        );
    }
}
