//! Passes librdkafka's log lines to `tracing`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::settings::ClientSettings;
use crate::trouble::Trouble;

/// A line that differs only in its numbers is repeated no sooner than this.
const REPEAT_AFTER: Duration = Duration::from_secs(30);
/// The most kinds of lines that are remembered; beyond that all are forgotten.
const REMEMBERED: usize = 256;

/// Limits repeated lines: during an outage librdkafka logs the same line several times a second.
#[derive(Debug, Default)]
pub(crate) struct LogFilter(Mutex<HashMap<String, Instant>>);

impl LogFilter {
    fn lets_through(&self, facility: &str, line: &str, now: Instant) -> bool {
        let kind: String = facility
            .chars()
            .chain(line.chars())
            .filter(|character| !character.is_ascii_digit())
            .collect();
        let mut seen = self.0.lock();
        if seen
            .get(&kind)
            .is_some_and(|last| now.saturating_duration_since(*last) < REPEAT_AFTER)
        {
            return false;
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(kind, now);
        true
    }

    pub(crate) fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // Consumers and producers get all settings of `[kafka]`: it is normal that one kind ignores those of the other.
        if facility == "CONFWARN" || !self.lets_through(facility, line, Instant::now()) {
            tracing::trace!(target: "librdkafka", facility, "{line}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{line}");
            }
            // librdkafka calls a lost connection an error; it reconnects by itself.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::debug!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{line}"),
        }
    }

    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        if self.lets_through("ERROR", reason, Instant::now()) {
            tracing::debug!(target: "librdkafka", %error, "{reason}");
        }
    }
}

/// The context of clients that only send requests.
#[derive(Debug, Default)]
pub(crate) struct LogContext {
    /// The bootstrap servers, for messages.
    pub(crate) bootstrap: String,
    log: LogFilter,
    pub(crate) trouble: Trouble,
}

impl LogContext {
    pub(crate) fn of(settings: &ClientSettings) -> LogContext {
        LogContext {
            bootstrap: settings.bootstrap().to_owned(),
            ..LogContext::default()
        }
    }
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.log.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
        self.trouble.hear(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for LogContext {}

/// Required by the admin client, which never produces.
impl rdkafka::producer::ProducerContext for LogContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_repeated_only_after_a_while() {
        let filter = LogFilter::default();
        let start = Instant::now();
        assert!(filter.lets_through(
            "FAIL",
            "connect to 127.0.0.1:9092 failed (after 1ms)",
            start
        ));
        assert!(!filter.lets_through(
            "FAIL",
            "connect to 127.0.0.1:9092 failed (after 27ms)",
            start
        ));
        assert!(filter.lets_through("FAIL", "disconnected", start));
        assert!(filter.lets_through(
            "FAIL",
            "connect to 127.0.0.1:9092 failed (after 3ms)",
            start + REPEAT_AFTER
        ));
    }

    #[test]
    fn the_memory_is_bounded() {
        let filter = LogFilter::default();
        let start = Instant::now();
        for letters in 0..REMEMBERED * 3 {
            filter.lets_through("X", &"x".repeat(letters), start);
        }
        assert!(filter.0.lock().len() <= REMEMBERED);
    }
}
