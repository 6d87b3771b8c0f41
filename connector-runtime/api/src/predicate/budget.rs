//! The budget of steps that evaluating a condition may take for one record.
//!
//! Nested macros, and comparisons inside a macro, multiply the work: 12 KB took 8 seconds. Every visit of an element or member
//! takes a step from the budget. Once it is exhausted, lists end early so that the evaluation returns soon; its result is
//! discarded.

use std::cell::Cell;

/// Less than a second of work. A macro takes two steps per element.
pub(super) const MOST_STEPS: u64 = 500_000;

thread_local! {
    /// An evaluation stays on its thread.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Resets the budget for the next evaluation on this thread.
pub(super) fn refill() {
    LEFT.set(MOST_STEPS);
}

/// Takes steps. `false`: the budget is exhausted.
pub(super) fn take(steps: usize) -> bool {
    let left = LEFT.get().saturating_sub(steps as u64);
    LEFT.set(left);
    left > 0
}

pub(super) fn is_exceeded() -> bool {
    LEFT.get() == 0
}
