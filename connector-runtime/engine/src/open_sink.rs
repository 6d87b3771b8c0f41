//! Opens a sink: passes what it may use, and checks that it is what its plugin declares.

use std::sync::Arc;

use connect_api::{
    Cause, Counter, Encode, EncoderFactory, Failure, ProgressHome, Result, Side, Sink, SinkContext,
    async_trait,
};
use connect_contracts::{Contracts, Encoder};
use tokio::runtime::Handle;

use crate::cluster::Cluster;
use crate::publisher::TaskPublishers;
use connect_config::{ConfiguredSink, CreateTopics, SinkFormats};

/// Where and for whom a sink is opened.
pub(crate) struct SinkOpener<'a> {
    pub(crate) connector: &'a Arc<str>,
    pub(crate) task: u32,
    pub(crate) cluster: &'a Cluster,
    pub(crate) create_topics: Option<&'a CreateTopics>,
    /// For the publishers. It must be unique, because fencing uses the group's metadata.
    pub(crate) transactional_id: String,
    pub(crate) rows_written: Counter,
    pub(crate) contracts: Contracts,
    /// Runs the requests to the schema registry, whose connections must not depend on the connector's own threads.
    pub(crate) engine: Handle,
}

/// The encoders of one sink, by the formats of its table.
struct Encoders {
    formats: SinkFormats,
    contracts: Contracts,
    engine: Handle,
}

#[async_trait]
impl EncoderFactory for Encoders {
    async fn encoder(&self, side: Side, topic: &str) -> Result<Option<Arc<dyn Encode>>> {
        let format = match side {
            Side::Key => &self.formats.key,
            Side::Value => &self.formats.value,
        };
        let Some(format) = format else {
            return Ok(None);
        };
        let encoder = self
            .contracts
            .encoder(side, format, topic)
            .map_err(Failure::Fatal)?;
        prepare(&self.engine, &encoder).await?;
        Ok(Some(Arc::new(encoder)))
    }
}

/// Looks up or registers the schema that `encoder` writes with.
pub(crate) async fn prepare(engine: &Handle, encoder: &Encoder) -> Result<()> {
    let encoder = encoder.clone();
    let asked = engine.spawn(async move { encoder.prepare().await });
    asked.await.unwrap_or_else(|error| {
        Err(Failure::Fatal(Cause::new(format!(
            "request to the schema registry was interrupted: {error}"
        ))))
    })
}

impl SinkOpener<'_> {
    pub(crate) async fn open(&self, sink: &ConfiguredSink) -> Result<Box<dyn Sink>> {
        let declared = sink.factory.progress_home();
        let context = SinkContext {
            connector: self.connector.clone(),
            sink: sink.name.clone(),
            task: self.task,
            cluster_id: self.cluster.id().await?,
            rows_written: self.rows_written.clone(),
            publishers: Arc::new(TaskPublishers {
                connector: self.connector.clone(),
                cluster: self.cluster.clone(),
                transactional_id: self.transactional_id.clone(),
                create_topics: self.create_topics.cloned(),
                home: self.cluster.progress_home(declared),
            }),
            contracts: Arc::new(self.contracts.clone()),
            encoders: Arc::new(Encoders {
                formats: sink.formats.clone(),
                contracts: self.contracts.clone(),
                engine: self.engine.clone(),
            }),
        };
        let mut open = sink.factory.open(context).await?;
        check_store(sink.kind, declared, open.as_mut())?;
        Ok(open)
    }
}

/// A sink has a progress store exactly if its plugin declares that it stores progress. Otherwise progress would be looked for
/// in the wrong place.
fn check_store(kind: &str, declared: ProgressHome, open: &mut dyn Sink) -> Result<()> {
    let has_store = open.progress_store().is_some();
    let fault = match (declared, has_store) {
        (ProgressHome::Sink, true) => return Ok(()),
        (ProgressHome::Sink, false) => {
            "declares that it stores progress, and has no progress store"
        }
        (_, true) => "has a progress store, and does not declare that it stores progress",
        (_, false) => return Ok(()),
    };
    let cause = Cause::new(format!(
        "the sink `{kind}` {fault}: this is a bug of the plugin"
    ));
    Err(Failure::Fatal(cause))
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use connect_api::{Batch, OtherProgress, Position, ProgressStore, TopicPartition, Written};

    use super::*;

    #[test]
    fn a_sink_has_a_progress_store_exactly_where_its_plugin_declares_one() {
        let cases = [
            (ProgressHome::Group, false, true),
            (ProgressHome::Group, true, false),
            (ProgressHome::KafkaTransaction, false, true),
            (ProgressHome::KafkaTransaction, true, false),
            (ProgressHome::Sink, false, false),
            (ProgressHome::Sink, true, true),
        ];
        for (declared, has_store, is_fine) in cases {
            let mut sink = Fake { has_store };
            match check_store("x", declared, &mut sink) {
                Ok(()) => assert!(is_fine, "{declared:?} {has_store}"),
                Err(Failure::Fatal(cause)) => {
                    assert!(!is_fine, "{declared:?} {has_store}: {cause}");
                    assert!(cause.message.contains("`x`"), "{cause}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    struct Fake {
        has_store: bool,
    }

    #[async_trait]
    impl Sink for Fake {
        async fn write(&mut self, _batch: &Batch<'_>) -> Result<Written> {
            Ok(Written::Durable)
        }

        fn progress_store(&mut self) -> Option<&mut dyn ProgressStore> {
            self.has_store.then_some(self as _)
        }
    }

    #[async_trait]
    impl ProgressStore for Fake {
        async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
            Ok(vec![None; partitions.len()])
        }

        async fn stored(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
            Ok(vec![None; partitions.len()])
        }

        async fn store(&mut self, _positions: &[Position]) -> Result<()> {
            Ok(())
        }

        async fn of_other_names(&mut self, _: &[Arc<str>]) -> Result<Vec<OtherProgress>> {
            Ok(Vec::new())
        }

        async fn erase(&mut self, _: &[Arc<str>]) -> Result<()> {
            Ok(())
        }
    }
}
