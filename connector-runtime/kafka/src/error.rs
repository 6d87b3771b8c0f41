//! librdkafka's errors as causes that are safe to print.

use connect_api::{Cause, Dependency};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The cause of an error. `doing` is what failed: "committing offsets".
pub(crate) fn cause(doing: &str, error: &KafkaError) -> Cause {
    match error.rdkafka_error_code() {
        Some(code) => code_cause(doing, code, None),
        None => match error {
            KafkaError::ClientConfig(..) => config_cause(error),
            other => Cause::new(format!("{doing}: {other}")),
        },
    }
}

/// A configuration error without the value, which may be a secret.
pub(crate) fn config_cause(error: &KafkaError) -> Cause {
    match error {
        KafkaError::ClientConfig(_, description, key, _) => {
            let description = if description.contains("No such configuration property") {
                "librdkafka has no such setting".to_owned()
            } else if key.is_empty() {
                description.clone()
            } else {
                "librdkafka does not take this value".to_owned()
            };
            Cause::new(format!("`{key}`: {description}"))
        }
        other => Cause::new(format!("the Kafka client cannot be made: {other}")),
    }
}

/// The cause of an error code: its name as the stable code, librdkafka's reason if there is one, and what to do about it.
pub(crate) fn code_cause(doing: &str, code: RDKafkaErrorCode, reason: Option<&str>) -> Cause {
    let message = match reason {
        Some(reason) if !reason.is_empty() => format!("{doing}: {reason}"),
        _ => format!("{doing}: {code}"),
    };
    let cause = Cause::new(message)
        .with_code(format!("{code:?}"))
        .with_dependency(dependency(code));
    match help(code) {
        Some(help) => cause.with_help(help),
        None => cause,
    }
}

fn dependency(code: RDKafkaErrorCode) -> Dependency {
    use RDKafkaErrorCode as Code;
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => Dependency::Credentials,
        Code::SSL => Dependency::Certificate,
        Code::UnknownTopicOrPartition | Code::UnknownTopic => Dependency::Topic,
        _ => Dependency::Kafka,
    }
}

fn help(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    Some(match code {
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve => {
            "is the broker up, and are the bootstrap servers right?"
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check sasl.mechanisms, sasl.username and sasl.password in [kafka]"
        }
        Code::SSL => "check the ssl.* settings in [kafka]",
        Code::TopicAuthorizationFailed => "grant READ (or WRITE) and DESCRIBE on the topic",
        Code::GroupAuthorizationFailed => "grant READ on the group",
        Code::TransactionalIdAuthorizationFailed => {
            "grant WRITE and DESCRIBE on the transactional id"
        }
        Code::ClusterAuthorizationFailed => "grant IDEMPOTENT_WRITE (or CREATE) on the cluster",
        Code::UnknownTopicOrPartition | Code::UnknownTopic => {
            "create the topic, or name it in [create_topics]"
        }
        Code::InvalidRecord => {
            "a compacted topic (cleanup.policy=compact) stores no record without a key"
        }
        Code::MessageSizeTooLarge => {
            "raise max.message.bytes of the topic, and message.max.bytes in [kafka]"
        }
        _ => return None,
    })
}

/// The help for a topic that is compacted but must keep every record.
pub fn keep_every_record(topic: &str) -> String {
    format!(
        "set cleanup.policy=delete (kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=delete), or name another topic"
    )
}

/// Whether the message itself can never be stored. Every other error is an outage or can be resolved by the user.
pub(crate) fn is_fault_of_message(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
    )
}

/// Whether the group has moved on: the caller's membership or generation is not the current one.
pub(crate) fn is_rebalance(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::FencedInstanceId
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch
            | Code::AssignmentLost
    )
}
