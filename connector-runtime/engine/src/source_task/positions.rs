//! The positions of sources in the topic `connect_positions`, in Kafka Connect's form: key `["name",{partition}]`, value
//! `{offset}`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connect_api::{Cause, Failure, Outgoing, Positions, Result};
use connect_kafka::{ANSWER_WITHIN, NewTopics, read_topic_to_end};

use crate::cluster::Cluster;

/// One compacted partition for the sources of all processes.
pub(crate) const TOPIC: &str = "connect_positions";

pub(crate) async fn make_topic(cluster: &Cluster) -> Result<()> {
    let settings = [
        ("cleanup.policy", "compact"),
        // Small segments are compacted early, which keeps reading all positions fast.
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.1"),
    ];
    let config: BTreeMap<String, String> = settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let topic = NewTopics {
        names: vec![TOPIC.to_owned()],
        partitions: Some(1),
        replication: None,
        config,
    };
    cluster.create_as(&topic).await
}

/// As [`read`], if perhaps no source has run on this cluster yet.
pub(crate) async fn read_if_any(cluster: &Cluster, connector: &str) -> Result<Positions> {
    let exists = cluster.admin().topic_exists(TOPIC, ANSWER_WITHIN).await;
    if exists.map_err(Failure::Retry)? {
        read(cluster, connector).await
    } else {
        Ok(Positions::default())
    }
}

/// The last committed positions of this connector.
pub(crate) async fn read(cluster: &Cluster, connector: &str) -> Result<Positions> {
    let records = read_topic_to_end(&cluster.settings(), TOPIC, 0, Duration::from_secs(60)).await;
    let mut positions = Positions::default();
    for (key, value) in records.map_err(Failure::Retry)? {
        let (Some(key), Some(value)) = (key, value) else {
            continue;
        };
        let Ok((name, partition)) = serde_json::from_slice::<(String, serde_json::Value)>(&key)
        else {
            let text = String::from_utf8_lossy(&key).into_owned();
            return Err(Failure::Fatal(Cause::new(format!(
                "unexpected key in {TOPIC}: {text} is not a source position"
            ))));
        };
        if name == connector {
            positions.insert_json(
                partition.to_string(),
                String::from_utf8_lossy(&value).into_owned(),
            );
        }
    }
    Ok(positions)
}

/// The messages that store these positions.
pub(crate) fn messages(connector: &str, positions: &Positions) -> Vec<Outgoing> {
    let topic: Arc<str> = Arc::from(TOPIC);
    let name = serde_json::Value::from(connector);
    positions
        .iter()
        .map(|(partition, offset)| Outgoing {
            topic: topic.clone(),
            key: Some(Bytes::from(format!("[{name},{partition}]"))),
            value: Some(Bytes::copy_from_slice(offset.as_bytes())),
            headers: Vec::new(),
            timestamp_ms: None,
        })
        .collect()
}
