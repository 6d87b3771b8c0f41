//! Batches of records that the client cannot unpack: damaged, or larger than `receive.message.max.bytes` once unpacked.
//!
//! librdkafka reports such a batch at each fetch and never moves past it, so its partition would wait for ever. It names the
//! offset of the batch but not the partition, which is among those that have not passed this offset.

/// A response that was damaged by the network does not recur this often.
const REPORTS: u32 = 3;

/// The batch that was reported last.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    offset: i64,
    reports: u32,
}

impl Unreadable {
    /// Takes a report: `Decompression (codec 0x4) of message at 5 of 2800 bytes failed: …`. Returns the batch's offset once it
    /// was reported often enough.
    pub(super) fn report(&mut self, reason: &str) -> Option<i64> {
        let (_, rest) = reason.split_once(" of message at ")?;
        let offset = rest.split_once(' ')?.0.parse().ok()?;
        if self.offset != offset {
            *self = Unreadable { offset, reports: 0 };
        }
        self.reports += 1;
        (self.reports >= REPORTS).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(offset: i64) -> String {
        format!(
            "Decompression (codec 0x4) of message at {offset} of 2800 bytes failed: Local: Invalid compressed data"
        )
    }

    #[test]
    fn a_batch_is_unreadable_once_it_was_reported_again_and_again() {
        let mut unreadable = Unreadable::default();
        assert_eq!(unreadable.report(&reason(5)), None);
        assert_eq!(unreadable.report(&reason(5)), None);
        assert_eq!(unreadable.report("Local: Invalid compressed data"), None);
        assert_eq!(unreadable.report(&reason(9)), None);
        assert_eq!(unreadable.report(&reason(5)), None);
        assert_eq!(unreadable.report(&reason(5)), None);
        assert_eq!(unreadable.report(&reason(5)), Some(5));
    }
}
