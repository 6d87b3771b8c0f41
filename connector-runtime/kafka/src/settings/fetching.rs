//! How much one fetch brings, derived from `in_flight`.
//!
//! librdkafka unpacks all batches of a fetch before the first record is delivered, and no setting bounds what they become
//! together. So the compressed bytes of a fetch are bounded, by what a codec can make of them. A batch larger than a fetch
//! is still read: the broker answers with at least one batch, whole.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

/// Both names of the setting by which `[kafka]` asks for larger fetches, for brokers that are far away.
const FETCH_SETTINGS: [&str; 2] = ["max.partition.fetch.bytes", "fetch.message.max.bytes"];
const RECEIVE_SETTING: &str = "receive.message.max.bytes";

/// `in_flight` for each byte of a fetch: gzip shrinks at most 1,032-fold and lz4 255-fold, so a fetch of them takes about
/// `in_flight` once it is unpacked. Measured with the 32 KiB of the default: batches of a producer that lingers are read
/// as fast as at 1 MiB, records without a batch at half the speed (117,000 instead of 214,000 a second).
const IN_FLIGHT_TO_FETCHED: u64 = 1024;
const SMALLEST_FETCH: u64 = 8 << 10;
const LARGEST_FETCH: u64 = 16 << 20;
/// So that a small `in_flight` reads batches of 20 MB too: managed brokers allow no larger ones.
const SMALLEST_LIMIT_OF_A_BATCH: u64 = 64 << 20;
/// librdkafka guesses how large a batch of zstd becomes and triples the guess until it suffices or exceeds the limit. So a
/// batch of up to a third of the limit is read for certain: one that becomes `in_flight`.
const LIMIT_TO_SURELY_READ: u64 = 3;
/// The bytes of a response in addition to a batch.
const PROTOCOL_BYTES: u64 = 512;
/// librdkafka's own limits.
const LARGEST_QUEUE_KIB: u64 = 2_097_151;
const LARGEST_ANSWER: u64 = i32::MAX as u64;

/// The sizes of one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchSizes {
    /// Records that are unpacked and not delivered yet. A fetch under way may overshoot it.
    queue_kib: u64,
    /// Compressed bytes of one answer of a broker, and of one partition in it.
    fetch: u64,
    /// One answer of a broker, and one batch of zstd once it is unpacked. librdkafka holds no other codec to this limit.
    pub(crate) largest_batch: u64,
}

impl FetchSizes {
    /// For a client that may prefetch `queue_bytes`, which is half of `in_flight`. Settings of `[kafka]` take precedence.
    pub(crate) fn new(queue_bytes: u64, given: &BTreeMap<String, String>) -> FetchSizes {
        let number = |name: &str| -> Option<u64> { given.get(name)?.parse().ok() };
        let in_flight = queue_bytes.saturating_mul(2);
        let largest_batch = number(RECEIVE_SETTING).unwrap_or_else(|| {
            let largest = in_flight.saturating_mul(LIMIT_TO_SURELY_READ);
            largest.clamp(SMALLEST_LIMIT_OF_A_BATCH, LARGEST_ANSWER)
        });
        let fetch = FETCH_SETTINGS
            .iter()
            .find_map(|name| number(name))
            .unwrap_or_else(|| {
                (in_flight / IN_FLIGHT_TO_FETCHED).clamp(SMALLEST_FETCH, LARGEST_FETCH)
            });
        FetchSizes {
            // A quarter is for the fetch that overshoots.
            queue_kib: (queue_bytes / 4 * 3 / 1024).clamp(64, LARGEST_QUEUE_KIB),
            fetch: fetch.min(largest_batch.saturating_sub(PROTOCOL_BYTES)),
            largest_batch,
        }
    }

    pub(crate) fn apply(self, config: &mut ClientConfig) {
        for alias in FETCH_SETTINGS {
            config.remove(alias);
        }
        config
            .set("queued.max.messages.kbytes", self.queue_kib.to_string())
            .set("fetch.max.bytes", self.fetch.to_string())
            .set("max.partition.fetch.bytes", self.fetch.to_string())
            .set(RECEIVE_SETTING, self.largest_batch.to_string())
            // A consumer sends no messages; but librdkafka refuses one whose fetches are smaller than this.
            .set("message.max.bytes", self.fetch.max(1000).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of `[kafka]`.
    type Written = &'static [(&'static str, &'static str)];

    #[test]
    fn fetches_follow_in_flight_and_what_is_written() {
        const MIB: u64 = 1 << 20;
        let cases: [(&str, u64, Written, [u64; 3]); 8] = [
            ("the default", 32 * MIB, &[], [12 << 10, 32 << 10, 96 * MIB]),
            ("half of it", 16 * MIB, &[], [6 << 10, 16 << 10, 64 * MIB]),
            ("tiny", 6, &[], [64, 8 << 10, 64 * MIB]),
            ("large", 1 << 30, &[], [384 << 10, MIB, LARGEST_ANSWER]),
            (
                "more than the client's settings take",
                1 << 40,
                &[],
                [LARGEST_QUEUE_KIB, LARGEST_FETCH, LARGEST_ANSWER],
            ),
            (
                "fetches as they are written",
                32 * MIB,
                &[("fetch.message.max.bytes", "1000000")],
                [12 << 10, 1_000_000, 96 * MIB],
            ),
            (
                "the largest batch as it is written",
                32 * MIB,
                &[("receive.message.max.bytes", "200000000")],
                [12 << 10, 32 << 10, 200_000_000],
            ),
            (
                "a fetch is within the largest answer",
                32 * MIB,
                &[
                    ("max.partition.fetch.bytes", "1000000"),
                    ("receive.message.max.bytes", "100000"),
                    ("message.max.bytes", "9000000"),
                ],
                [12 << 10, 99_488, 100_000],
            ),
        ];
        for (name, in_flight, written, expected) in cases {
            let given: BTreeMap<String, String> = written
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            let sizes = FetchSizes::new(in_flight / 2, &given);
            let found = [sizes.queue_kib, sizes.fetch, sizes.largest_batch];
            assert_eq!(found, expected, "{name}");
            let mut config = ClientConfig::new();
            for (key, value) in &given {
                config.set(key, value);
            }
            config.set("group.id", name);
            sizes.apply(&mut config);
            let client: Result<rdkafka::consumer::BaseConsumer, _> = config.create();
            assert!(client.is_ok(), "{name}: {:?}", client.err());
        }
    }
}
