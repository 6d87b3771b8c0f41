//! What one value may be at most. Every codec builds values through [`super::ValueBuilder`], which enforces it.

/// The bounds of one value.
#[derive(Clone, Copy, Debug)]
pub struct ValueLimits {
    /// Arrays and objects inside each other.
    pub depth: u32,
    /// Digits of one number.
    pub digits: usize,
    /// Members of one object.
    pub members: usize,
    /// Nulls, booleans, numbers, strings, byte strings, arrays, objects and names of members.
    pub nodes: usize,
    /// Text and binary content that is not a part of the payload: decoded strings, digits, names.
    pub bytes: usize,
    /// Names of members and symbols, each as often as it appears. A value keeps a name once, but as JSON it has them all.
    pub names: usize,
}

/// Nodes that any payload may become, however small it is.
const FREE_NODES: usize = 1 << 16;
/// Nodes for each byte of the payload. Avro writes an absent optional field in one byte and it becomes two nodes; twice
/// that leaves room for fields of type null.
const NODES_A_BYTE: usize = 4;
/// 384 MiB of nodes. A payload of usual size meets the relative bound long before.
const MOST_NODES: usize = 1 << 25;
/// Content that any payload may become, however small it is.
const FREE_BYTES: usize = 1 << 20;
/// Content for each byte of the payload: a count of milliseconds takes 6 bytes and becomes a time of 24 characters.
const BYTES_A_BYTE: usize = 8;
/// Names for each byte of the payload: an absent optional field is one byte, and as JSON it is written with its name.
const NAMES_A_BYTE: usize = 64;

impl ValueLimits {
    /// The limits of what a payload of this many bytes becomes. Binary formats write some values in few bytes or in none,
    /// so the value could be thousands of times larger than what was counted as in flight.
    pub fn of_payload(bytes: usize) -> ValueLimits {
        ValueLimits {
            nodes: bytes
                .saturating_mul(NODES_A_BYTE)
                .saturating_add(FREE_NODES)
                .min(MOST_NODES),
            bytes: bytes
                .saturating_mul(BYTES_A_BYTE)
                .saturating_add(FREE_BYTES)
                .min(super::node::MOST_BYTES),
            names: bytes
                .saturating_mul(NAMES_A_BYTE)
                .saturating_add(FREE_BYTES),
            ..ValueLimits::default()
        }
    }
}

impl ValueLimits {
    /// For what is in memory already and comes from the program itself.
    pub(super) fn unlimited() -> ValueLimits {
        ValueLimits {
            depth: u32::MAX,
            digits: usize::MAX,
            members: usize::MAX,
            ..ValueLimits::default()
        }
    }
}

/// What JSON text may be: a node takes at least a byte of the text, so only the width of our indexes bounds their number.
impl Default for ValueLimits {
    fn default() -> Self {
        ValueLimits {
            depth: 128,
            digits: 1_000,
            members: 100_000,
            nodes: super::node::MOST_BYTES,
            bytes: super::node::MOST_BYTES,
            names: usize::MAX,
        }
    }
}
