//! Which librdkafka settings `[kafka]` may hold.
//!
//! librdkafka acts on some settings while they are set: `plugin.library.paths` loads native code immediately. So a key reaches
//! it only if it is listed here; `connect check` runs on files before they are reviewed.

use connect_api::Cause;
use rdkafka::ClientConfig;

use crate::error::config_cause;

const PROGRESS: &str =
    "progress is committed by the engine, and only after the sink has written durably";
const MEMBERSHIP: &str = "group membership is the engine's: every connector is its own group";
const PRODUCER: &str = "the engine's producers are idempotent and wait for all replicas";
const MEMORY: &str = "prefetching follows `[batch] in_flight`";
const OBSERVED: &str = "the engine reads it for lag and progress";

/// Settings that the engine owns, each with the reason that a finding prints.
pub(crate) const OWNED: &[(&str, &str)] = &[
    ("acks", PRODUCER),
    (
        "allow.auto.create.topics",
        "topics are created by `[create_topics]` only",
    ),
    ("auto.commit.enable", PROGRESS),
    ("auto.commit.interval.ms", PROGRESS),
    (
        "auto.offset.reset",
        "where to begin is the connector's `start`; a missing range stops instead of being skipped",
    ),
    ("bootstrap.servers", "the address is `bootstrap_servers`"),
    (
        "client.id",
        "the engine names its clients after their connectors",
    ),
    ("delivery.report.only.error", PRODUCER),
    ("delivery.timeout.ms", PRODUCER),
    ("enable.auto.commit", PROGRESS),
    ("enable.auto.offset.store", PROGRESS),
    ("enable.gapless.guarantee", PRODUCER),
    ("enable.idempotence", PRODUCER),
    ("enable.partition.eof", OBSERVED),
    ("fetch.max.bytes", MEMORY),
    ("fetch.queue.backoff.ms", MEMORY),
    ("group.id", MEMBERSHIP),
    ("group.instance.id", MEMBERSHIP),
    ("group.protocol", MEMBERSHIP),
    ("group.protocol.type", MEMBERSHIP),
    ("group.remote.assignor", MEMBERSHIP),
    ("heartbeat.interval.ms", MEMBERSHIP),
    (
        "isolation.level",
        "records of aborted transactions are never read",
    ),
    ("log.queue", OBSERVED),
    ("message.send.max.retries", PRODUCER),
    ("message.timeout.ms", PRODUCER),
    ("metadata.broker.list", "the address is `bootstrap_servers`"),
    ("offset.store.method", PROGRESS),
    ("partition.assignment.strategy", MEMBERSHIP),
    (
        "partitioner",
        "records with equal keys go to the partition that Java clients choose",
    ),
    ("queued.max.messages.kbytes", MEMORY),
    ("queued.min.messages", MEMORY),
    ("queuing.strategy", PRODUCER),
    ("request.required.acks", PRODUCER),
    ("retries", PRODUCER),
    ("session.timeout.ms", MEMBERSHIP),
    ("statistics.interval.ms", OBSERVED),
    ("test.mock.broker.rtt", "the mock cluster is `--embedded`"),
    ("test.mock.num.brokers", "the mock cluster is `--embedded`"),
    (
        "topic.blacklist",
        "only `topics` and `topics_regex` define what is read",
    ),
    ("topic.metadata.refresh.interval.ms", OBSERVED),
    ("transaction.timeout.ms", PRODUCER),
    ("transactional.id", PRODUCER),
];

const NATIVE_CODE: &str = "it loads native code, and a configuration must not";
const NO_GSSAPI: &str = "this build of the Kafka client has no Kerberos (GSSAPI)";
const FORGEABLE_TOKEN: &str = "anyone can create such a token";

/// Settings that reach nothing, each with the reason that a finding prints.
const UNSAFE: &[(&str, &str)] = &[
    ("enable.sasl.oauthbearer.unsecure.jwt", FORGEABLE_TOKEN),
    ("plugin.library.paths", NATIVE_CODE),
    ("sasl.kerberos.keytab", NO_GSSAPI),
    (
        "sasl.kerberos.kinit.cmd",
        "it runs a command, and a configuration must not",
    ),
    ("sasl.kerberos.min.time.before.relogin", NO_GSSAPI),
    ("sasl.kerberos.principal", NO_GSSAPI),
    ("sasl.kerberos.service.name", NO_GSSAPI),
    ("sasl.oauthbearer.config", FORGEABLE_TOKEN),
    ("ssl.engine.id", NATIVE_CODE),
    ("ssl.engine.location", NATIVE_CODE),
    ("ssl.providers", NATIVE_CODE),
];

/// Settings that are passed on: how brokers are reached and trusted, credentials, timeouts, sizes of requests and of the
/// producer's buffers, compression, and what librdkafka logs. None of them opens a file other than a certificate, a key or a
/// token, and none changes which records are read or in which order they are written.
pub(crate) const ALLOWED: &[&str] = &[
    "api.version.request.timeout.ms",
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "coordinator.query.interval.ms",
    "debug",
    "enable.metrics.push",
    "enable.ssl.certificate.verification",
    "fetch.error.backoff.ms",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "https.ca.location",
    "https.ca.pem",
    "linger.ms",
    "log.connection.close",
    "log.thread.name",
    "log_level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.copy.max.bytes",
    "message.max.bytes",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "queue.buffering.backpressure.threshold",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.metadata.authentication.type",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.sigalgs.list",
    "sticky.partitioning.linger.ms",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.sparse",
];

/// Whether `[kafka]` may hold this: a setting that is passed on, with a value that librdkafka takes. The message never
/// holds the value, which may be a password.
pub fn check_setting(key: &str, value: &str) -> Result<(), Cause> {
    check_setting_name(key)?;
    ClientConfig::new()
        .set(key, value)
        .create_native_config()
        .map(drop)
        .map_err(|error| config_cause(&error))
}

/// As [`check_setting`], for a setting whose value is not known.
pub fn check_setting_name(key: &str) -> Result<(), Cause> {
    let reason = |table: &[(&str, &'static str)]| {
        let entry = table.iter().find(|(name, _)| *name == key);
        entry.map(|(_, why)| *why)
    };
    if let Some(why) = reason(OWNED) {
        let cause = Cause::new(format!("`{key}` is set by the engine: {why}"));
        return Err(cause.with_help("remove the key"));
    }
    if let Some(why) = reason(UNSAFE) {
        let cause = Cause::new(format!("`{key}` is not passed on: {why}"));
        return Err(cause.with_help("remove the key"));
    }
    if !ALLOWED.contains(&key) {
        return Err(Cause::new(format!("`[kafka]` has no setting `{key}`")));
    }
    Ok(())
}

/// Whether `[kafka]` may hold a setting of this name, with some value.
pub fn is_setting(key: &str) -> bool {
    ALLOWED.contains(&key)
}

/// The settings that `[kafka]` may hold, for suggesting the one that was meant.
pub fn allowed_settings() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().copied().chain(["bootstrap_servers"])
}

/// The librdkafka settings that replace settings of the Java client, which librdkafka knows only to refuse them.
pub fn of_java(key: &str) -> Option<&'static str> {
    Some(match key {
        "sasl.jaas.config" => "`sasl.username` and `sasl.password`",
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "`ssl.ca.location`, a PEM file"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "not needed: `ssl.ca.location` is a PEM file without a password"
        }
        _ => return None,
    })
}
