//! Everything that touches librdkafka: client settings, the consumer of a sink's task, producers, transactions, admin
//! calls and the in-process mock cluster. No other crate names `rdkafka`.

mod admin;
mod assignment;
mod blocking;
mod consumer;
mod consumer_context;
mod delivery;
mod error;
mod event;
mod group_offsets;
mod log;
mod mock;
mod offsets;
mod ownership;
mod payload;
mod producer;
mod seek;
mod settings;
mod topic_pattern;
mod topic_reader;
mod transaction;
mod trouble;

pub use admin::{Admin, NewTopics};
pub use assignment::{Generation, GroupPosition, OwnedPosition};
pub use consumer::SinkConsumer;
pub use delivery::DeliveryOutcome;
pub use error::keep_every_record;
pub use event::{ConsumerOptions, Event, GroupMetadata, Rebalance, Subscription};
pub use group_offsets::{GroupMember, GroupOffsets};
pub use mock::Embedded;
pub use offsets::{ANSWER_WITHIN, Committed, Watermarks};
pub use ownership::{OwnerOptions, PartitionOwner};
pub use producer::Producer;
pub use settings::{
    ClientSettings, REVOCATION_WITHIN, allowed_settings, check_setting, check_setting_name,
    is_setting, of_java,
};
pub use topic_pattern::MOST_TOPICS;
pub use topic_reader::{KeyAndValue, read_topic_to_end};
pub use transaction::{GroupCommit, TransactionError, TransactionalProducer};

#[cfg(test)]
mod tests;
