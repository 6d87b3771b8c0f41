//! What the routers share: setting the topic that sinks see as `#routed_topic`.

use connect_api::topic::check_topic_name;
use connect_api::{Cause, Record, Step};

/// The record with its new topic; a text that no topic can be called rejects the record.
pub(crate) fn route(mut record: Record, topic: &str) -> Result<Step, Cause> {
    check_topic_name(topic)
        .map_err(|reason| Cause::new(format!("the router chose no topic: {reason}")))?;
    record.routed_topic = Some(topic.into());
    Ok(Step::Keep(record))
}

/// The topic that the record has so far: what an earlier router chose, or where it came from.
pub(crate) fn current_topic(record: &Record) -> &str {
    record.routed_topic.as_ref().unwrap_or(&record.origin.topic)
}
