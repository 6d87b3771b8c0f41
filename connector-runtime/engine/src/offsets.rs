//! `connect offsets`: where a connector stands, and moving it. What the sink stores and what the group has are shown side
//! by side and set together.

use std::collections::HashMap;
use std::sync::Arc;

use connect_api::{Cause, Failure, Position, Positions, Sink, TopicPartition};
use connect_contracts::Contracts;
use connect_kafka::{ANSWER_WITHIN, Admin, ClientSettings, GroupOffsets, StartOffset};

use crate::cluster::Cluster;
use crate::config::{Connector, ConnectorKind, ProcessConfig, SinkConnector, Topics};
use crate::open_sink::SinkOpener;
use crate::source;

/// One partition of a sink connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub partition: TopicPartition,
    /// What the sink stores beside its rows; it wins. `None` also where the sink stores nothing.
    pub stored: Option<i64>,
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

/// Which partitions are to be moved.
#[derive(Clone, Debug, Default)]
pub struct Only {
    pub topic: Option<String>,
    pub partition: Option<i32>,
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
}

/// Where a connector is moved.
#[derive(Clone, Debug)]
pub enum MoveTo {
    /// In every partition that is meant.
    Start(StartOffset),
    /// To where the connector of this name stands, as far as it has begun. Its file may be gone: it has got another name.
    Connector(String),
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

/// Moves a sink connector that nothing runs: the stored progress (where the sink has any) and the group.
pub async fn set(
    connector: &Connector,
    process: &ProcessConfig,
    clients: &ClientSettings,
    to: &MoveTo,
    only: &Only,
) -> Result<Vec<PartitionOffsets>, Cause> {
    let ConnectorKind::Sink(sink) = &connector.kind else {
        return Err(Cause::new(format!(
            "{} is a source: its positions belong to its plugin",
            connector.name
        ))
        .with_help("give the connector another name to begin anew"));
    };
    let desk = Desk::open(connector, process, clients)?;
    let mut partitions = desk.partitions(sink).await?;
    partitions.retain(|partition| only.matches(partition));
    if partitions.is_empty() {
        return Err(Cause::new("no partition of this connector is meant")
            .with_help("leave out --topic and --partition"));
    }
    let positions = match to {
        MoveTo::Start(start) => desk.places_of_start(&partitions, *start).await?,
        MoveTo::Connector(name) => desk.places_of_connector(name, sink, &partitions).await?,
    };
    for Position { partition, next } in &positions {
        let (low, high) = desk.group.watermarks(partition).await?;
        if !(low..=high).contains(next) {
            return Err(Cause::new(format!(
                "{partition} has offsets {low} to {high}; {next} is not among them"
            )));
        }
    }
    // The group first: it refuses while a member is active, and then nothing at all was changed.
    desk.group.set(&positions).await?;
    let mut open = desk.open_sink(sink, &connector.name).await?;
    if let Some(store) = open.progress_store() {
        store.store(&positions).await.map_err(cause)?;
    }
    open.close().await.map_err(cause)?;
    desk.sink_offsets(sink).await
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
        let topics = match &sink.topics {
            Topics::Named(names) => names.clone(),
            Topics::Pattern(pattern) => {
                let mut topics = self.cluster.admin.topics(ANSWER_WITHIN).await?;
                topics.retain(|topic| pattern.is_match(topic));
                topics
            }
        };
        let mut partitions = Vec::new();
        for topic in topics {
            let name: Arc<str> = Arc::from(topic.as_str());
            let numbers = self
                .cluster
                .admin
                .partitions(&topic, ANSWER_WITHIN)
                .await?
                .unwrap_or_default();
            partitions.extend(numbers.into_iter().map(|partition| TopicPartition {
                topic: name.clone(),
                partition,
            }));
        }
        partitions.sort();
        Ok(partitions)
    }

    async fn sink_offsets(&self, sink: &SinkConnector) -> Result<Vec<PartitionOffsets>, Cause> {
        let partitions = self.partitions(sink).await?;
        let group = self.group.committed(&partitions).await?;
        let mut open = self.open_sink(sink, &self.connector.name).await?;
        let stored = match open.progress_store() {
            Some(store) => store.stored(&partitions).await.map_err(cause)?,
            None => Vec::new(),
        };
        open.close().await.map_err(cause)?;
        let stored: HashMap<&TopicPartition, Option<i64>> = partitions.iter().zip(stored).collect();
        let mut rows = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            let (low, high) = self.group.watermarks(partition).await?;
            rows.push(PartitionOffsets {
                partition: partition.clone(),
                stored: stored.get(partition).copied().flatten(),
                group: group.get(partition).copied().flatten(),
                low,
                high,
            });
        }
        Ok(rows)
    }

    async fn places_of_start(
        &self,
        partitions: &[TopicPartition],
        start: StartOffset,
    ) -> Result<Vec<Position>, Cause> {
        let targets = self.group.resolve(partitions, start).await?;
        Ok(known(partitions, |partition| {
            targets.get(partition).copied()
        }))
    }

    /// Where the sink stores progress, that counts and not the group's.
    async fn places_of_connector(
        &self,
        name: &str,
        sink: &SinkConnector,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Position>, Cause> {
        let mut open = self.open_sink(sink, &Arc::from(name)).await?;
        let stored = match open.progress_store() {
            Some(store) => Some(store.stored(partitions).await.map_err(cause)?),
            None => None,
        };
        open.close().await.map_err(cause)?;
        let offsets: HashMap<TopicPartition, Option<i64>> = match stored {
            Some(stored) => partitions.iter().cloned().zip(stored).collect(),
            None => {
                let group = GroupOffsets::open(&self.cluster.settings, &group_of(name))?;
                group.committed(partitions).await?
            }
        };
        let places = known(partitions, |partition| offsets.get(partition).copied()?);
        if !places.is_empty() {
            Ok(places)
        } else {
            Err(Cause::new(format!(
            "no connector `{name}` has progress in these topics, on this Kafka cluster and in this sink"
        ))
        .with_help("the name is what `name` said in its file, or the file's name without .toml"))
        }
    }

    /// The sink, as the connector of this name opens it.
    async fn open_sink(
        &self,
        sink: &SinkConnector,
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
        opener.open(&sink.sink).await.map_err(cause)
    }
}

fn group_of(connector: &str) -> String {
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
