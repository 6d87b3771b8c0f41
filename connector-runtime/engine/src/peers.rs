//! Warns if another process in a connector's group runs another version of its file: each would write its share of the records
//! as its own file says.

use std::sync::Arc;
use std::time::Duration;

use connect_kafka::GroupMember;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::Cluster;
use crate::offsets::group_of;
use crate::status::{ConnectorState, Meters};
use connect_config::{Connector, Fingerprint};

const EVERY: Duration = Duration::from_secs(20);

/// Compares until it is dropped. Each member has the fingerprint of its file in its client id.
pub(crate) async fn compare(cluster: Cluster, connectors: Vec<(Arc<Connector>, Meters)>) {
    let mut timer = interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        for (connector, meters) in &connectors {
            if matches!(
                meters.state(),
                ConnectorState::Failed | ConnectorState::Stopped
            ) {
                continue;
            }
            match cluster.admin().members(&group_of(&connector.name)).await {
                Ok(members) => compare_one(&connector.name, &members, meters),
                Err(cause) => {
                    tracing::debug!(event = "members_not_asked", connector = %connector.name, %cause);
                }
            }
        }
    }
}

fn compare_one(name: &str, members: &[GroupMember], meters: &Meters) {
    let ours = meters.status().fingerprint;
    let theirs = another(members.iter().map(|member| &*member.client_id), ours);
    let has_changed = meters.set_differs(theirs.is_some());
    if let (true, Some(theirs)) = (has_changed, theirs) {
        tracing::warn!(
            event = "configuration_differs",
            connector = %name,
            %ours,
            %theirs,
            "another process runs a connector of this name with another file: each writes its share of the records as its own file says"
        );
    }
}

/// The first fingerprint that is not ours.
fn another<'a>(
    client_ids: impl Iterator<Item = &'a str>,
    ours: Fingerprint,
) -> Option<Fingerprint> {
    let mut fingerprints = client_ids.filter_map(Fingerprint::at_end_of);
    fingerprints.find(|theirs| *theirs != ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fingerprints_that_differ_count() {
        let ours = Fingerprint::of("a = 1");
        let theirs = Fingerprint::of("a = 2");
        let cases = [
            (vec![format!("connect-sales-0.{ours}")], None),
            (
                vec![
                    "connect-sales-0".to_owned(),
                    "a.b".to_owned(),
                    "x.zzzzzzzz".to_owned(),
                ],
                None,
            ),
            (
                vec![
                    format!("connect-sales-0.{ours}"),
                    format!("connect-sales-1.{theirs}"),
                ],
                Some(theirs),
            ),
        ];
        for (members, expected) in cases {
            let client_ids = members.iter().map(String::as_str);
            assert_eq!(another(client_ids, ours), expected, "{members:?}");
        }
    }
}
