//! How much work a condition may be for one record.
//!
//! Macros inside each other, and comparisons inside a macro, multiply: 12 KB took 8 seconds. Everything that goes through
//! elements and members of the record takes steps from a budget. Once it is empty, lists look as if they ended, so that the
//! evaluation ends soon; its result is then thrown away.

use std::cell::Cell;

/// Less than a second of work. A macro takes two steps for each element.
pub(super) const MOST_STEPS: u64 = 500_000;

thread_local! {
    /// An evaluation stays on its thread.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// For the next evaluation on this thread.
pub(super) fn refill() {
    LEFT.set(MOST_STEPS);
}

/// Takes steps. `false`: nothing is left.
pub(super) fn take(steps: usize) -> bool {
    let left = LEFT.get().saturating_sub(steps as u64);
    LEFT.set(left);
    left > 0
}

pub(super) fn is_exceeded() -> bool {
    LEFT.get() == 0
}
