//! `connect offsets`: shows and sets the positions of a connector. What the sink stores and what the group has are shown side
//! by side and set together.

mod desk;

use std::collections::HashMap;
use std::sync::Arc;

use connect_api::{Cause, Position, Positions, StartAt, TopicPartition};
use connect_kafka::{ClientSettings, GroupOffsets};

use crate::source_task;
use connect_config::{ConfiguredSink, Connector, ConnectorKind, ProcessConfig};
pub(crate) use desk::group_of;
use desk::{Desk, cause, known, no_progress};

/// One partition of one sink of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub partition: TopicPartition,
    /// The name of the `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// The progress stored in the sink, which takes precedence. `None` also if the sink stores no progress.
    pub stored: Option<i64>,
    /// The group's position of this sink. `None` also if the sink is new.
    pub group: Option<i64>,
    /// The first offset that Kafka has.
    pub low: i64,
    /// The offset after the last record.
    pub high: i64,
}

/// The positions of a connector.
#[derive(Debug)]
pub enum Offsets {
    Sink(Vec<PartitionOffsets>),
    Source(Positions),
}

/// A selection of what is moved. `None`: everything.
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

/// The target of `connect offsets set`.
#[derive(Clone, Debug)]
pub enum MoveTo {
    /// The same start in every selected partition.
    Start(StartAt),
    /// The positions of the connector of this name. It may have no file any more, because it was renamed.
    Connector(String),
}

/// One position that is moved, or would be in a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedPosition {
    pub partition: TopicPartition,
    /// The name of the `[[sinks]]` entry.
    pub sink: Arc<str>,
    /// `None`: nothing was stored.
    pub old: Option<i64>,
    pub new: i64,
}

/// Reads the positions of the connector. Does not interfere with a process that runs it.
pub async fn show(
    connector: &Connector,
    process: &ProcessConfig,
    clients: &ClientSettings,
) -> Result<Offsets, Cause> {
    let desk = Desk::open(connector, process, clients)?;
    match &connector.kind {
        ConnectorKind::Source(_) => {
            let positions = source_task::positions(&desk.cluster, &connector.name).await;
            positions.map(Offsets::Source).map_err(cause)
        }
        ConnectorKind::Sink(sink) => desk.sink_offsets(sink).await.map(Offsets::Sink),
    }
}

/// Moves a sink connector that is not running: its stored progress, if its sinks have any, and the group. A dry run resolves
/// and checks the same without moving anything.
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
        .with_help("give the connector another name to start from scratch"));
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
            desk.refuse_offsets_out_of_range(&targets).await?;
            moves.extend(moves_of(&current, configured, &targets));
            lanes.push(targets);
        } else {
            lanes.push(stays(&current, configured, &partitions));
        }
    }
    if is_dry_run {
        return Ok(moves);
    }
    // The group first: Kafka refuses while a member is active, and then nothing has changed.
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

/// Deletes the progress that another name has in this connector's topics and sinks, and returns it. Kafka removes the consumer
/// group of that name by itself.
pub async fn forget(
    connector: &Connector,
    process: &ProcessConfig,
    clients: &ClientSettings,
    other: &str,
) -> Result<Vec<Position>, Cause> {
    let ConnectorKind::Sink(sink) = &connector.kind else {
        return Err(Cause::new(format!(
            "{} is a source: it stores nothing in a sink",
            connector.name
        )));
    };
    let desk = Desk::open(connector, process, clients)?;
    let group = GroupOffsets::open(clients, &group_of(other))?;
    if !group.members().await?.is_empty() {
        return Err(Cause::new(format!("`{other}` is running"))
            .with_help("its progress is what it goes on from; stop it first"));
    }
    let partitions = desk.partitions(sink).await?;
    let mut topics: Vec<Arc<str>> = partitions.iter().map(|one| one.topic.clone()).collect();
    topics.dedup();
    let mut forgotten = Vec::new();
    for configured in &sink.sinks {
        let mut open = desk.open_sink(configured, &Arc::from(other)).await?;
        if let Some(store) = open.progress_store() {
            let stored = store.stored(&partitions).await.map_err(cause)?;
            let stored: HashMap<_, _> = partitions.iter().zip(stored).collect();
            forgotten.extend(known(&partitions, |partition| {
                stored.get(partition).copied()?
            }));
            store.erase(&topics).await.map_err(cause)?;
        }
        open.close().await.map_err(cause)?;
    }
    if forgotten.is_empty() {
        return Err(no_progress(other));
    }
    Ok(forgotten)
}

/// The positions of a sink that is not moved. A sink without a position starts as its `start` says.
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
