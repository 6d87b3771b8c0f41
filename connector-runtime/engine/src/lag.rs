//! Measures the lag of sink connectors, on its own timer.
//! So the lag is right in every snapshot: while a sink is down and its reader waits, before the first commit, and after a
//! connector has failed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, StartAt, TopicPartition};
use connect_kafka::GroupOffsets;

use crate::cluster::Cluster;
use crate::offsets::group_of;
use crate::status::{ConnectorState, Meters};
use connect_config::{Connector, ConnectorKind, SinkConnector};

const EVERY: Duration = Duration::from_secs(2);

/// Measures until it is dropped. Without an answer the last value stays; others report that Kafka is unreachable.
pub(crate) async fn measure(cluster: Cluster, connectors: Vec<(Arc<Connector>, Meters)>) {
    let of_sinks = |(connector, meters): (Arc<Connector>, Meters)| match &connector.kind {
        ConnectorKind::Sink(sink) => Some(Measured {
            name: connector.name.clone(),
            sink: sink.clone(),
            meters,
            group: None,
            pace: Pace::default(),
        }),
        ConnectorKind::Source(_) => None,
    };
    let mut measured: Vec<Measured> = connectors.into_iter().filter_map(of_sinks).collect();
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        if let Err(cause) = measure_once(&cluster, &mut measured).await {
            tracing::debug!(event = "lag_not_measured", %cause);
        }
    }
}

/// One sink connector.
struct Measured {
    name: Arc<str>,
    sink: SinkConnector,
    meters: Meters,
    /// A client of the group, while the tasks do not know every position.
    group: Option<GroupOffsets>,
    /// Of what is asked while the connector has failed.
    pace: Pace,
}

/// How often the topics and the committed positions of a failed connector are requested. These answers are large if there are
/// many topics, and rarely change. The ends of partitions are requested every time nevertheless.
#[derive(Default)]
struct Pace(Option<Asked>);

#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    /// The next request is not sent before this.
    pause: Duration,
}

impl Pace {
    const LONGEST: Duration = Duration::from_secs(64);

    fn is_due(&self, now: Instant) -> bool {
        let Pace(asked) = self;
        asked.is_none_or(|asked| now.saturating_duration_since(asked.at) >= asked.pause)
    }

    /// After an answer the next pause is twice as long.
    fn answered(&mut self, now: Instant) {
        let pause = self.0.map_or(EVERY, |asked| asked.pause);
        self.0 = Some(Asked {
            at: now,
            pause: (2 * pause).min(Pace::LONGEST),
        });
    }
}

async fn measure_once(cluster: &Cluster, connectors: &mut [Measured]) -> Result<(), Cause> {
    let mut partitions = Vec::new();
    for connector in connectors.iter_mut() {
        connector.find_positions(cluster).await?;
        let known = connector.meters.partitions();
        partitions.extend(known.into_iter().map(|(partition, _)| partition));
    }
    partitions.sort();
    partitions.dedup();
    if partitions.is_empty() {
        return Ok(());
    }
    let ends = cluster.admin().offsets(partitions, StartAt::Latest).await?;
    for connector in connectors {
        connector.meters.ends(&ends);
    }
    Ok(())
}

impl Measured {
    /// Without a position from a task, the group's position counts, and before the first commit the connector's `start`.
    async fn find_positions(&mut self, cluster: &Cluster) -> Result<(), Cause> {
        let has_failed = self.meters.state() == ConnectorState::Failed;
        if !has_failed {
            self.pace = Pace::default();
        } else if !self.pace.is_due(Instant::now()) {
            return Ok(());
        }
        let wanted = if has_failed {
            cluster.partitions_of(&self.sink.topics).await?
        } else {
            let known = self.meters.partitions().into_iter();
            known
                .filter(|(_, has_position)| !has_position)
                .map(|(partition, _)| partition)
                .collect()
        };
        if wanted.is_empty() {
            self.group = None;
            return Ok(());
        }
        let committed = self.committed(cluster, &wanted).await?;
        let new = wanted
            .iter()
            .filter(|partition| committed.get(*partition).is_none_or(Option::is_none));
        let firsts = self.firsts(cluster, new.cloned().collect()).await?;
        for partition in wanted {
            let position = committed.get(&partition).copied().flatten();
            let position = position.or_else(|| firsts.get(&partition).copied());
            if has_failed {
                self.meters.committed(&partition, position);
            } else if let Some(next) = position {
                self.meters.starts(&partition, next);
            }
        }
        if has_failed {
            self.pace.answered(Instant::now());
            self.group = None;
        }
        Ok(())
    }

    async fn committed(
        &mut self,
        cluster: &Cluster,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<i64>>, Cause> {
        let group = match self.group.take() {
            Some(group) => group,
            None => GroupOffsets::open(&cluster.settings(), &group_of(&self.name))?,
        };
        // After a failure the client is recreated with the settings of that time.
        let committed = group.committed(partitions).await?;
        self.group = Some(group);
        Ok(committed)
    }

    async fn firsts(
        &self,
        cluster: &Cluster,
        partitions: Vec<TopicPartition>,
    ) -> Result<HashMap<TopicPartition, i64>, Cause> {
        let begins_first = |start: Option<StartAt>| matches!(start, None | Some(StartAt::Earliest));
        let mut sinks = self.sink.sinks.iter();
        if partitions.is_empty() || !sinks.any(|sink| begins_first(sink.start)) {
            return Ok(HashMap::new());
        }
        cluster.admin().offsets(partitions, StartAt::Earliest).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connector_is_looked_at_ever_more_rarely() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let mut asked = Vec::new();
        for second in (0..300).step_by(2) {
            let now = start + Duration::from_secs(second);
            if pace.is_due(now) {
                asked.push(second);
                pace.answered(now);
            }
        }
        assert_eq!(asked, [0, 4, 12, 28, 60, 124, 188, 252]);
        // Without an answer the next measurement asks again.
        let pace = Pace::default();
        assert!(pace.is_due(start) && pace.is_due(start));
    }
}
