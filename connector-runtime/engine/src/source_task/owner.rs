//! The ownership of a source: the process that is assigned the one partition of `connect_positions` in the source's group runs
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connect_api::Cause;
use connect_kafka::{OwnerOptions, PartitionOwner};
use tokio::sync::watch;

use super::positions::TOPIC;
use crate::cluster::Cluster;
use crate::offsets::group_of;
use connect_config::Fingerprint;

/// Membership in a source's group, kept up by a thread of its own.
pub(crate) struct Owner {
    owns: watch::Receiver<bool>,
    leave: Arc<AtomicBool>,
    left: Option<tokio::sync::oneshot::Receiver<()>>,
    /// Keeps `owns` open if there is no group.
    _alone: Option<watch::Sender<bool>>,
}

impl Owner {
    /// With `--embedded` there is only this process: it owns every source.
    pub(crate) fn join(
        cluster: &Cluster,
        connector: &str,
        fingerprint: Fingerprint,
    ) -> Result<Owner, Cause> {
        let leave = Arc::new(AtomicBool::new(false));
        if cluster.in_process.is_some() {
            let (alone, owns) = watch::channel(true);
            return Ok(Owner {
                owns,
                leave,
                left: None,
                _alone: Some(alone),
            });
        }
        let options = options_of(connector, fingerprint);
        let member = PartitionOwner::open(&cluster.settings(), &options)?;
        let (tell, owns) = watch::channel(false);
        let (tell_left, left) = tokio::sync::oneshot::channel();
        let asked_to_leave = leave.clone();
        let name = connector.to_owned();
        std::thread::Builder::new()
            .name(format!("own-{connector}"))
            .spawn(move || {
                keep_membership(&name, member, &tell, &asked_to_leave);
                let _ = tell_left.send(());
            })
            .map_err(|error| Cause::new(format!("no thread for the source's group: {error}")))?;
        Ok(Owner {
            owns,
            leave,
            left: Some(left),
            _alone: None,
        })
    }

    /// A membership that a test controls.
    #[cfg(test)]
    pub(super) fn for_tests(owns: watch::Receiver<bool>) -> Owner {
        Owner {
            owns,
            leave: Arc::default(),
            left: None,
            _alone: None,
        }
    }

    pub(crate) fn owns(&self) -> bool {
        *self.owns.borrow()
    }

    /// Returns once this process owns the source.
    pub(crate) async fn owned(&mut self) {
        if self.owns.wait_for(|owns| *owns).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns once this process does not own the source any more.
    pub(crate) async fn lost(&mut self) {
        let _ = self.owns.wait_for(|owns| !*owns).await;
    }

    /// Leaves the group, so that another process takes over at once.
    pub(crate) async fn leave(mut self) {
        self.leave.store(true, Ordering::Release);
        if let Some(left) = self.left.take() {
            let _ = tokio::time::timeout(Duration::from_secs(6), left).await;
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Release);
    }
}

/// One group for every version of the connector's file: processes that run different versions compete for the source, too.
fn options_of(connector: &str, fingerprint: Fingerprint) -> OwnerOptions {
    let group = group_of(connector);
    OwnerOptions {
        client_id: format!("{group}.{fingerprint}"),
        group,
        topic: TOPIC.to_owned(),
    }
}

fn keep_membership(
    connector: &str,
    mut member: PartitionOwner,
    tell: &watch::Sender<bool>,
    leave: &AtomicBool,
) {
    while !leave.load(Ordering::Acquire) {
        if let Some(cause) = member.poll(Duration::from_millis(100)) {
            tracing::warn!(event = "group_unreachable", connector, %cause);
        }
        let owns = member.owns();
        let has_changed = tell.send_if_modified(|known| std::mem::replace(known, owns) != owns);
        if has_changed && owns && member.has_taken_over() {
            tracing::info!(
                event = "source_taken_over",
                connector,
                "another process ran this source until now"
            );
        }
    }
    member.close(Duration::from_secs(5));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_with_different_files_of_one_source_compete_in_one_group() {
        let (old, new) = (Fingerprint::of("rate = 1"), Fingerprint::of("rate = 2"));
        let options = |fingerprint| options_of("users", fingerprint);
        assert_eq!(options(old).group, "connect-users");
        assert_eq!(options(new).group, "connect-users");
        let file_of = |options: OwnerOptions| Fingerprint::at_end_of(&options.client_id);
        assert_eq!(file_of(options(old)), Some(old));
        assert_eq!(file_of(options(new)), Some(new));
    }
}
