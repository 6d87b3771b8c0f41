//! The clients of `connect offsets` for one connector: they list its partitions, and read and write the positions of its sinks
//! and its group.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use connect_api::{Cause, Failure, Position, Sink, StartAt, TopicPartition};
use connect_contracts::Contracts;
use connect_kafka::{Admin, ClientSettings, GroupOffsets, Watermarks};

use super::PartitionOffsets;
use crate::cluster::Cluster;
use crate::open_sink::SinkOpener;
use crate::sink_task::{GroupOffset, metadata};
use connect_config::{ConfiguredSink, Connector, ProcessConfig, SinkConnector};

/// Clients for one connector.
pub(super) struct Desk<'a> {
    connector: &'a Connector,
    pub(super) cluster: Cluster,
    contracts: Contracts,
    group: GroupOffsets,
}

impl<'a> Desk<'a> {
    pub(super) fn open(
        connector: &'a Connector,
        process: &ProcessConfig,
        clients: &ClientSettings,
    ) -> Result<Desk<'a>, Cause> {
        let cluster = Cluster::new(clients.clone(), Admin::open(clients)?, None);
        let group = GroupOffsets::open(clients, &group_of(&connector.name))?;
        Ok(Desk {
            connector,
            cluster,
            contracts: Contracts::new(process.registry.as_ref())?,
            group,
        })
    }

    pub(super) async fn partitions(
        &self,
        sink: &SinkConnector,
    ) -> Result<Vec<TopicPartition>, Cause> {
        self.cluster.partitions_of(&sink.topics).await
    }

    pub(super) async fn refuse_offsets_out_of_range(
        &self,
        targets: &[Position],
    ) -> Result<(), Cause> {
        let partitions: Vec<_> = targets.iter().map(|one| one.partition.clone()).collect();
        let watermarks = self.group.watermarks(&partitions).await?;
        for (Position { partition, next }, watermarks) in targets.iter().zip(watermarks) {
            if !watermarks.contain(*next) {
                let Watermarks { low, high } = watermarks;
                return Err(Cause::new(format!(
                    "{partition} has offsets {low} to {high}; {next} is not among them"
                )));
            }
        }
        Ok(())
    }

    pub(super) async fn sink_offsets(
        &self,
        sink: &SinkConnector,
    ) -> Result<Vec<PartitionOffsets>, Cause> {
        let partitions = self.partitions(sink).await?;
        let group = self.group.committed_with_metadata(&partitions).await?;
        let mut stored = Vec::with_capacity(sink.sinks.len());
        for configured in &sink.sinks {
            stored.push(
                self.stored(configured, &self.connector.name, &partitions)
                    .await?,
            );
        }
        let mut rows = Vec::with_capacity(partitions.len() * sink.sinks.len());
        let watermarks = self.group.watermarks(&partitions).await?;
        for (index, (partition, watermarks)) in partitions.iter().zip(watermarks).enumerate() {
            let group = group.get(partition).and_then(Option::as_ref);
            let group = group.map(GroupOffset::of);
            for (configured, stored) in sink.sinks.iter().zip(&stored) {
                rows.push(PartitionOffsets {
                    partition: partition.clone(),
                    sink: configured.name.clone(),
                    stored: stored.as_ref().and_then(|stored| *stored.get(index)?),
                    group: group
                        .as_ref()
                        .and_then(|group| group.of_lane(&configured.name)),
                    low: watermarks.low,
                    high: watermarks.high,
                });
            }
        }
        Ok(rows)
    }

    /// The progress that a sink stores of these partitions. `None`: the group stores its progress.
    async fn stored(
        &self,
        sink: &ConfiguredSink,
        connector: &Arc<str>,
        partitions: &[TopicPartition],
    ) -> Result<Option<Vec<Option<i64>>>, Cause> {
        let mut open = self.open_sink(sink, connector).await?;
        let stored = match open.progress_store() {
            Some(store) => Some(store.stored(partitions).await.map_err(cause)?),
            None => None,
        };
        open.close().await.map_err(cause)?;
        Ok(stored)
    }

    /// Writes the group's offsets: for each partition the smallest of all sinks, with the position of each sink as metadata.
    pub(super) async fn set_group(
        &self,
        sink: &SinkConnector,
        lanes: &[Vec<Position>],
    ) -> Result<(), Cause> {
        let mut by_partition: BTreeMap<&TopicPartition, Vec<(Arc<str>, i64)>> = BTreeMap::new();
        for (configured, positions) in sink.sinks.iter().zip(lanes) {
            for Position { partition, next } in positions {
                let of_partition = by_partition.entry(partition).or_default();
                of_partition.push((configured.name.clone(), *next));
            }
        }
        let positions: Vec<Position> = by_partition
            .iter()
            .filter_map(|(partition, lanes)| {
                let next = lanes.iter().map(|(_, next)| *next).min()?;
                Some(Position {
                    partition: (*partition).clone(),
                    next,
                })
            })
            .collect();
        let metadata = |partition: &TopicPartition| {
            let lanes = by_partition.get(partition).into_iter().flatten();
            let (names, lanes): (Vec<Arc<str>>, Vec<i64>) = lanes.cloned().unzip();
            metadata(&names, &lanes).to_string()
        };
        self.group.set_with_metadata(&positions, metadata).await
    }

    pub(super) async fn positions_of_start(
        &self,
        partitions: &[TopicPartition],
        start: StartAt,
    ) -> Result<Vec<Position>, Cause> {
        let targets = self.group.resolve(partitions, start).await?;
        Ok(known(partitions, |partition| {
            targets.get(partition).copied()
        }))
    }

    /// The positions of each sink under another name. A sink's stored progress takes precedence over the group's.
    pub(super) async fn positions_of_connector(
        &self,
        name: &str,
        sink: &SinkConnector,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Vec<Position>>, Cause> {
        let group = GroupOffsets::open(&self.cluster.settings(), &group_of(name))?;
        let committed = group.committed_with_metadata(partitions).await?;
        let mut lanes = Vec::with_capacity(sink.sinks.len());
        for configured in &sink.sinks {
            let stored = self
                .stored(configured, &Arc::from(name), partitions)
                .await?;
            let stored: Option<HashMap<_, _>> =
                stored.map(|stored| partitions.iter().zip(stored).collect());
            lanes.push(known(partitions, |partition| match &stored {
                Some(stored) => stored.get(partition).copied()?,
                None => {
                    let committed = committed.get(partition)?.as_ref()?;
                    GroupOffset::of(committed).of_lane(&configured.name)
                }
            }));
        }
        if lanes.iter().any(|positions| !positions.is_empty()) {
            return Ok(lanes);
        }
        Err(no_progress(name))
    }

    /// Opens the sink as the connector of this name would.
    pub(super) async fn open_sink(
        &self,
        sink: &ConfiguredSink,
        name: &Arc<str>,
    ) -> Result<Box<dyn Sink>, Cause> {
        let opener = SinkOpener {
            connector: name,
            task: 0,
            cluster: &self.cluster,
            create_topics: None,
            transactional_id: format!("connect-{name}-offsets"),
            rows_written: connect_api::Counter::default(),
            contracts: self.contracts.clone(),
            engine: tokio::runtime::Handle::current(),
        };
        opener.open(sink).await.map_err(cause)
    }
}

pub(super) fn no_progress(name: &str) -> Cause {
    Cause::new(format!(
        "no connector `{name}` has progress in these topics, on this Kafka cluster and in this sink"
    ))
    .with_help("the name is `name` in its file, or the file's name without .toml")
}

/// The name of a connector's consumer group.
pub(crate) fn group_of(connector: &str) -> String {
    format!("connect-{connector}")
}

/// The positions of the partitions whose offset is known.
pub(super) fn known(
    partitions: &[TopicPartition],
    offset: impl Fn(&TopicPartition) -> Option<i64>,
) -> Vec<Position> {
    partitions
        .iter()
        .filter_map(|partition| {
            Some(Position {
                partition: partition.clone(),
                next: offset(partition)?,
            })
        })
        .collect()
}

pub(super) fn cause(failure: Failure) -> Cause {
    match failure {
        Failure::Retry(cause)
        | Failure::RefusedSomewhere(cause)
        | Failure::TooMuch(cause)
        | Failure::Superseded(cause)
        | Failure::Fatal(cause) => cause,
        refused @ Failure::Refused(_) => Cause::new(refused.to_string()),
    }
}
