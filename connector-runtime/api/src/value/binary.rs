//! The binary content of a value. Few values have any, so it is stored separately, behind one pointer.

use bytes::Bytes;

use super::node::Span;

/// What spans of byte strings point into.
#[derive(Clone, Debug, Default)]
pub(super) struct Binary {
    /// Shared with the record and other values.
    payload: Bytes,
    /// What is not a part of `payload`.
    own: Vec<u8>,
    used: bool,
}

impl Binary {
    pub(super) fn of_payload(payload: Bytes) -> Binary {
        Binary {
            payload,
            ..Binary::default()
        }
    }

    /// The same payload and nothing else.
    pub(super) fn shared(&self) -> Binary {
        Binary::of_payload(self.payload.clone())
    }

    /// Points at `content`, which is copied unless it is a part of the payload.
    pub(super) fn span_of(&mut self, content: &[u8]) -> Span {
        self.used = true;
        if let Some(span) = Span::within(&self.payload, content) {
            return span;
        }
        let start = self.own.len();
        self.own.extend_from_slice(content);
        Span::in_own(start, content.len())
    }

    #[inline]
    pub(super) fn content(&self, span: Span) -> &[u8] {
        let source = if span.is_own() {
            self.own.as_slice()
        } else {
            &self.payload
        };
        source
            .get(span.range())
            .expect("a span is inside its binary content")
    }

    pub(super) fn own_bytes(&self) -> usize {
        self.own.len()
    }

    pub(super) fn own_capacity(&self) -> usize {
        self.own.capacity()
    }

    /// Nothing where no node points here, so that the payload is not kept for nothing.
    pub(super) fn if_used(self) -> Option<Box<Binary>> {
        self.used.then(|| Box::new(self))
    }
}
