//! `connect offsets`: where a connector stands, and moving it. What the sink stores and what the group has are shown side
//! by side and set together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use connect_api::{Cause, Failure, Position, Positions, Sink, TopicPartition};
use connect_contracts::Contracts;
use connect_kafka::{Admin, ClientSettings, GroupOffsets, StartOffset};

use crate::cluster::Cluster;
use crate::config::{ConfiguredSink, Connector, ConnectorKind, ProcessConfig, SinkConnector};
use crate::open_sink::SinkOpener;
use crate::pipeline::lane_positions::{GroupOffset, metadata};
use crate::source;

/// One partition of one sink of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub partition: TopicPartition,
    /// The name of the `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// What the sink stores beside its rows; it wins. `None` also where the sink stores nothing.
    pub stored: Option<i64>,
    /// What the consumer group has of this sink; `None` also where the sink is new.
    pub group: Option<i64>,
    /// The first offset that Kafka has.
    pub low: i64,
    /// The offset after the last record.
    pub high: i64,
}

/// Where a connector stands.
#[derive(Debug)]
pub enum Offsets {
    Sink(Vec<PartitionOffsets>),
    Source(Positions),
}

/// What is to be moved; `None`: all.
#[derive(Clone, Debug, Default)]
pub struct Only {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    /// The name of a `[[sinks]]` entry.
    pub sink: Option<String>,
}

impl Only {
    fn matches(&self, partition: &TopicPartition) -> bool {
        self.topic
            .as_deref()
            .is_none_or(|topic| topic == &*partition.topic)
            && self
                .partition
                .is_none_or(|number| number == partition.partition)
    }

    fn moves(&self, sink: &ConfiguredSink) -> bool {
        self.sink.as_deref().is_none_or(|name| name == &*sink.name)
    }
}

/// Where a connector is moved.
#[derive(Clone, Debug)]
pub enum MoveTo {
    /// In every partition that is meant.
    Start(StartOffset),
    /// To where the connector of this name stands, as far as it has begun. Its file may be gone: it has got another name.
    Connector(String),
}

/// How one position was moved, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedPosition {
    pub partition: TopicPartition,
    /// The name of the `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// `None`: nothing was stored.
    pub old: Option<i64>,
    pub new: i64,
}

/// Reads where the connector stands; takes nothing over from whoever runs it.
pub async fn show(
    connector: &Connector,
    process: &ProcessConfig,
    clients: &ClientSettings,
) -> Result<Offsets, Cause> {
    let desk = Desk::open(connector, process, clients)?;
    match &connector.kind {
        ConnectorKind::Source(_) => {
            let positions = source::positions(&desk.cluster, &connector.name).await;
            positions.map(Offsets::Source).map_err(cause)
        }
        ConnectorKind::Sink(sink) => desk.sink_offsets(sink).await.map(Offsets::Sink),
    }
}

/// Moves a sink connector that nothing runs: the stored progress (where the sink has any) and the group. A dry run checks and
/// resolves the same and moves nothing.
pub async fn set(
    connector: &Connector,
    process: &ProcessConfig,
    clients: &ClientSettings,
    to: &MoveTo,
    only: &Only,
    is_dry_run: bool,
) -> Result<Vec<MovedPosition>, Cause> {
    let ConnectorKind::Sink(sink) = &connector.kind else {
        return Err(Cause::new(format!(
            "{} is a source: its positions belong to its plugin",
            connector.name
        ))
        .with_help("give the connector another name to begin anew"));
    };
    if !sink.sinks.iter().any(|configured| only.moves(configured)) {
        let name = only.sink.as_deref().unwrap_or_default();
        let names: Vec<&str> = sink.sinks.iter().map(|one| &*one.name).collect();
        return Err(
            Cause::new(format!("{} has no sink `{name}`", connector.name))
                .with_help(format!("its sinks: {}", names.join(", "))),
        );
    }
    let desk = Desk::open(connector, process, clients)?;
    let mut partitions = desk.partitions(sink).await?;
    partitions.retain(|partition| only.matches(partition));
    if partitions.is_empty() {
        return Err(Cause::new("no partition of this connector is meant")
            .with_help("leave out --topic and --partition"));
    }
    let targets = match to {
        MoveTo::Start(start) => {
            let positions = desk.positions_of_start(&partitions, *start).await?;
            vec![positions; sink.sinks.len()]
        }
        MoveTo::Connector(name) => desk.positions_of_connector(name, sink, &partitions).await?,
    };
    let current = desk.sink_offsets(sink).await?;
    let mut lanes = Vec::with_capacity(targets.len());
    let mut moves = Vec::new();
    for (configured, targets) in sink.sinks.iter().zip(targets) {
        if only.moves(configured) {
            desk.refuse_what_kafka_has_not(&targets).await?;
            moves.extend(moves_of(&current, configured, &targets));
            lanes.push(targets);
        } else {
            lanes.push(stays(&current, configured, &partitions));
        }
    }
    if is_dry_run {
        return Ok(moves);
    }
    // The group first: it refuses while a member is active, and then nothing at all was changed.
    desk.set_group(sink, &lanes).await?;
    let moved = sink.sinks.iter().zip(&lanes);
    for (configured, positions) in moved.filter(|(configured, _)| only.moves(configured)) {
        let mut open = desk.open_sink(configured, &connector.name).await?;
        if let Some(store) = open.progress_store() {
            store.store(positions).await.map_err(cause)?;
        }
        open.close().await.map_err(cause)?;
    }
    Ok(moves)
}

/// Clients for one connector.
struct Desk<'a> {
    connector: &'a Connector,
    cluster: Cluster,
    contracts: Contracts,
    group: GroupOffsets,
}

impl<'a> Desk<'a> {
    fn open(
        connector: &'a Connector,
        process: &ProcessConfig,
        clients: &ClientSettings,
    ) -> Result<Desk<'a>, Cause> {
        let cluster = Cluster {
            settings: clients.clone(),
            admin: Arc::new(Admin::open(clients)?),
            in_process: None,
        };
        let group = GroupOffsets::open(clients, &group_of(&connector.name))?;
        Ok(Desk {
            connector,
            cluster,
            contracts: Contracts::new(process.registry.as_ref())?,
            group,
        })
    }

    async fn partitions(&self, sink: &SinkConnector) -> Result<Vec<TopicPartition>, Cause> {
        self.cluster.partitions_of(&sink.topics).await
    }

    async fn refuse_what_kafka_has_not(&self, targets: &[Position]) -> Result<(), Cause> {
        for Position { partition, next } in targets {
            let (low, high) = self.group.watermarks(partition).await?;
            if !(low..=high).contains(next) {
                return Err(Cause::new(format!(
                    "{partition} has offsets {low} to {high}; {next} is not among them"
                )));
            }
        }
        Ok(())
    }

    async fn sink_offsets(&self, sink: &SinkConnector) -> Result<Vec<PartitionOffsets>, Cause> {
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
        for (index, partition) in partitions.iter().enumerate() {
            let (low, high) = self.group.watermarks(partition).await?;
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
                    low,
                    high,
                });
            }
        }
        Ok(rows)
    }

    /// What a sink stores about these partitions; `None` where the group has its progress.
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

    /// Writes the group's offsets: of each partition the smallest of all sinks, with each sink's own beside it.
    async fn set_group(&self, sink: &SinkConnector, lanes: &[Vec<Position>]) -> Result<(), Cause> {
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

    async fn positions_of_start(
        &self,
        partitions: &[TopicPartition],
        start: StartOffset,
    ) -> Result<Vec<Position>, Cause> {
        let targets = self.group.resolve(partitions, start).await?;
        Ok(known(partitions, |partition| {
            targets.get(partition).copied()
        }))
    }

    /// The positions of each sink under another name. Where the sink stores progress, that counts and not the group's.
    async fn positions_of_connector(
        &self,
        name: &str,
        sink: &SinkConnector,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Vec<Position>>, Cause> {
        let group = GroupOffsets::open(&self.cluster.settings, &group_of(name))?;
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
        Err(Cause::new(format!(
            "no connector `{name}` has progress in these topics, on this Kafka cluster and in this sink"
        ))
        .with_help("the name is what `name` said in its file, or the file's name without .toml"))
    }

    /// The sink, as the connector of this name opens it.
    async fn open_sink(
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

/// The positions of a sink that is not moved. A sink that has none yet begins where its `start` says.
fn stays(
    current: &[PartitionOffsets],
    sink: &ConfiguredSink,
    partitions: &[TopicPartition],
) -> Vec<Position> {
    known(partitions, |partition| {
        position_of(current, sink, partition)
    })
}

fn position_of(
    current: &[PartitionOffsets],
    sink: &ConfiguredSink,
    partition: &TopicPartition,
) -> Option<i64> {
    let mut offsets = current.iter();
    let of_sink = offsets.find(|one| one.partition == *partition && one.sink == sink.name)?;
    of_sink.stored.or(of_sink.group)
}

fn moves_of(
    current: &[PartitionOffsets],
    sink: &ConfiguredSink,
    targets: &[Position],
) -> Vec<MovedPosition> {
    let moved = targets.iter().map(|target| MovedPosition {
        partition: target.partition.clone(),
        sink: sink.name.clone(),
        old: position_of(current, sink, &target.partition),
        new: target.next,
    });
    moved.collect()
}

/// The name of a connector's consumer group.
pub(crate) fn group_of(connector: &str) -> String {
    format!("connect-{connector}")
}

/// The partitions whose offset is known, with it.
fn known(
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

fn cause(failure: Failure) -> Cause {
    match failure {
        Failure::Retry(cause)
        | Failure::RefusedSomewhere(cause)
        | Failure::TooMuch(cause)
        | Failure::Superseded(cause)
        | Failure::Fatal(cause) => cause,
        refused @ Failure::Refused(_) => Cause::new(refused.to_string()),
    }
}
