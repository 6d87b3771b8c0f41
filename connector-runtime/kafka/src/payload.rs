//! Copies of payloads, many in one piece of memory.
//!
//! A record's key and value are copied once, out of librdkafka. Copied one by one, each would cost an allocation, another
//! when it is first shared, and the freeing of both; here a record costs a reference count.

use bytes::{Bytes, BytesMut};

/// A piece lives as long as any record in it: about as long as the batch that it is part of.
const PIECE_BYTES: usize = 256 * 1024;
/// A larger payload gets its own allocation, so that a piece is never kept alive by one record.
const LARGE_BYTES: usize = 16 * 1024;

/// Where copies go.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    piece: BytesMut,
}

impl Payloads {
    pub(crate) fn copy(&mut self, payload: &[u8]) -> Bytes {
        if payload.len() > LARGE_BYTES {
            return Bytes::copy_from_slice(payload);
        }
        if self.piece.capacity() < payload.len() {
            self.piece = BytesMut::with_capacity(PIECE_BYTES);
        }
        self.piece.extend_from_slice(payload);
        self.piece.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_what_they_were_whatever_came_before() {
        let mut payloads = Payloads::default();
        let originals: Vec<Vec<u8>> = (0..2_000_usize)
            .map(|number| vec![number as u8; (number * 37) % 20_000])
            .collect();
        let copies: Vec<Bytes> = originals
            .iter()
            .map(|original| payloads.copy(original))
            .collect();
        for (original, copy) in originals.iter().zip(&copies) {
            assert_eq!(copy, original);
        }
    }
}
