//! The elements of a value's tape, and the spans by which they point at their content.

use super::shape::ShapeNumber;

/// One element of the tape. An object's members follow it as key, value, key, value, …
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Span),
    String(Span),
    /// The span is one of the value's binary content.
    Bytes(Span),
    /// `nodes` counts the whole subtree, this node included: it is the distance to the next sibling.
    Array {
        members: u32,
        nodes: u32,
    },
    Object {
        /// What the parser knows of the members' names. It means nothing without its family.
        shape: ShapeNumber,
        members: u32,
        nodes: u32,
    },
}

impl Node {
    #[inline]
    pub(super) fn extent(self) -> usize {
        match self {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::String(_) | Node::Bytes(_) => 1,
            Node::Array { nodes, .. } | Node::Object { nodes, .. } => nodes as usize,
        }
    }
}

/// A range of bytes in the buffer that values share or, where the top bit of `start` is set, in the value's own storage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    start: u32,
    pub(super) length: u32,
}

const IS_OWN: u32 = 1 << 31;

/// Spans are 31 bits wide, so no storage that they point into may grow beyond this.
pub(super) const MOST_BYTES: usize = (1 << 31) - 1;

impl Span {
    #[inline]
    pub(super) fn in_buffer(start: usize, length: usize) -> Span {
        debug_assert!(start + length <= MOST_BYTES);
        Span {
            start: start as u32,
            length: length as u32,
        }
    }

    /// In the value's own storage.
    #[inline]
    pub(super) fn in_own(start: usize, length: usize) -> Span {
        assert!(
            start + length <= MOST_BYTES,
            "a value's own storage stays below 2 GiB"
        );
        Span {
            start: start as u32 | IS_OWN,
            length: length as u32,
        }
    }

    /// Appends `content` to `text` and points at it.
    pub(super) fn append(text: &mut String, content: &str) -> Span {
        let start = text.len();
        text.push_str(content);
        Span::in_own(start, content.len())
    }

    /// The same range of the shared buffer, after the own storage became that.
    pub(super) fn shared(self) -> Span {
        Span {
            start: self.start & !IS_OWN,
            length: self.length,
        }
    }

    /// Where `content` is in `buffer`, if it is a part of it.
    #[inline]
    pub(super) fn within(buffer: &[u8], content: &[u8]) -> Option<Span> {
        let start = content.as_ptr().addr().wrapping_sub(buffer.as_ptr().addr());
        (start <= buffer.len() && start + content.len() <= buffer.len())
            .then(|| Span::in_buffer(start, content.len()))
    }

    #[inline]
    pub(super) fn is_own(self) -> bool {
        self.start & IS_OWN != 0
    }

    #[inline]
    pub(super) fn range(self) -> std::ops::Range<usize> {
        let start = (self.start & !IS_OWN) as usize;
        start..start + self.length as usize
    }
}
