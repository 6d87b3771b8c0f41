//! Failed connectors: they are retried while others run, or when the user asks for it.
//!
//! A process in which no connector works any more ends instead, with an exit code: its service manager can restart it, and a
//! failed job must be visible.

use std::time::Duration;

use tokio::sync::watch;

/// Shared by all connectors of the process.
#[derive(Clone)]
pub(crate) struct Attention {
    /// The number of connectors that work, or wait for something and continue by themselves.
    working: watch::Sender<usize>,
    /// Counts the user's requests for a retry.
    asked: watch::Sender<u64>,
}

/// Counts as working until it is dropped.
pub(crate) struct Working(watch::Sender<usize>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.send_modify(|working| *working -= 1);
    }
}

impl Attention {
    pub(crate) fn new() -> Attention {
        Attention {
            working: watch::Sender::new(0),
            asked: watch::Sender::new(0),
        }
    }

    pub(crate) fn work(&self) -> Working {
        self.working.send_modify(|working| *working += 1);
        Working(self.working.clone())
    }

    /// Tries every failed connector again.
    pub(crate) fn ask(&self) {
        self.asked.send_modify(|asked| *asked += 1);
    }

    /// Waits until the failed connector should be retried, at most for `after`. `false`: no connector works any more, so the
    /// process should end.
    pub(crate) async fn again(&self, after: Option<Duration>) -> bool {
        let mut asked = self.asked.subscribe();
        let mut working = self.working.subscribe();
        let pause = async {
            match after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = working.wait_for(|working| *working == 0) => false,
            _ = asked.changed() => true,
            () = pause => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_tried_again_while_others_work() {
        let attention = Attention::new();
        let other = attention.work();
        let started = tokio::time::Instant::now();
        assert!(attention.again(Some(Duration::from_secs(5))).await);
        assert_eq!(started.elapsed(), Duration::from_secs(5));
        let (again, ()) = tokio::join!(attention.again(None), async {
            tokio::task::yield_now().await;
            attention.ask();
        });
        assert!(again, "a person asked");
        let (again, ()) = tokio::join!(attention.again(None), async {
            tokio::task::yield_now().await;
            drop(other);
        });
        assert!(!again, "nothing works any more");
        assert!(!attention.again(Some(Duration::from_secs(5))).await);
    }
}
