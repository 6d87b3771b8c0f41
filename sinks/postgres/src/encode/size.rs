//! Limits of the size of rows.
//!
//! With `each`, a value of the record is repeated in the row of every element: 600 KB of JSON became 30 GB of rows, and a failed
//! allocation aborts the process. The limits also keep a statement's parameter far below the 1 GB at which PostgreSQL closes the
//! connection, which would look like an outage.

use connect_api::{Cause, Failure};

/// All rows of one record.
pub(super) const MOST_BYTES_OF_A_RECORD: usize = 64 << 20;
/// All rows of one batch.
pub(super) const MOST_BYTES_OF_A_BATCH: usize = 128 << 20;

pub(super) fn record_too_large() -> Cause {
    let mebibytes = MOST_BYTES_OF_A_RECORD >> 20;
    Cause::new(format!(
        "the rows of this record are larger than {mebibytes} MiB"
    ))
    .with_help(
        "with `each`, every column that is mapped from the record is written once for each element: map long ones in a \
         table of their own, or bound the array in the contract (`maxItems`)",
    )
}

pub(super) fn batch_too_large() -> Failure {
    let mebibytes = MOST_BYTES_OF_A_BATCH >> 20;
    Failure::TooMuch(Cause::new(format!(
        "the rows of this batch are larger than {mebibytes} MiB"
    )))
}
