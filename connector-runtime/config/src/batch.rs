//! `[batch]`: how many records a task collects before it writes them, and how many bytes it holds.

use connect_api::{Duration, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// How much is read before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchConfig {
    /// The most records of a batch.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_records: u32,
    /// The most bytes of a batch; a larger record is a batch of its own.
    pub max_bytes: Size,
    /// How long a batch may wait for more records.
    pub linger: Duration,
    /// The most bytes that a task holds at a time.
    pub in_flight: Size,
}

impl Default for BatchConfig {
    fn default() -> BatchConfig {
        BatchConfig {
            max_records: 5000,
            max_bytes: Size::from_bytes(4 << 20),
            linger: Duration::from_millis(200),
            in_flight: Size::from_bytes(32 << 20),
        }
    }
}

impl BatchConfig {
    /// How many batches of the largest size `in_flight` holds. Half of it is the client's queue, the other half three
    /// batches: one is read while another waits and a third is written.
    pub const LARGEST_BATCHES_IN_FLIGHT: u64 = 6;

    /// How many bytes a sink may have accepted, those that are being written included. The batch that is read and the one
    /// that waits are in flight as well.
    pub fn may_be_accepted(&self) -> u64 {
        let batches = self.in_flight.bytes() / 2;
        batches.saturating_sub(2 * self.max_bytes.bytes())
    }

    /// Whether `max_bytes` is small enough for `in_flight`. The reader relies on it and cuts at `max_bytes` alone.
    pub fn fits_in_flight(&self) -> bool {
        self.smallest_in_flight() <= self.in_flight
    }

    /// The smallest `in_flight` for batches of this size.
    pub(super) fn smallest_in_flight(&self) -> Size {
        let batches = Self::LARGEST_BATCHES_IN_FLIGHT;
        Size::from_bytes(self.max_bytes.bytes().saturating_mul(batches))
    }
}
