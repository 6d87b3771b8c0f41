//! Appends rows by COPY BINARY.

use crate::rows::Row;
use crate::statement;
use crate::target::{Shape, Target};
use crate::unnest::Session;

/// Signature, flags, and the length of the header extension, which is empty.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A field count of -1 instead of a row.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// The server parses a message while it receives the next. It counts whole messages: the resolution of the check for frozen
/// sessions.
const MESSAGE_BYTES: usize = 256 * 1024;

/// Sends these rows of a target, which have the same columns. Returns the rows written.
///
/// The buffer has COPY's own form, header included: if all rows are sent, it is sent unchanged.
pub(crate) async fn send(
    session: &mut Session<'_>,
    target: &Target,
    rows: &[Row],
) -> Result<u64, sqlx::Error> {
    let Some(first) = rows.first() else {
        return Ok(0);
    };
    let shape = Shape::dense(target.sets.positions(first.set));
    let statement = statement::write_statement(target, &shape);
    let mut copy = session.connection.copy_in_raw(&statement).await?;
    let scratch = &mut *session.scratch;
    scratch.clear();
    if rows.len() == target.rows.rows.len() {
        for message in target.rows.data.chunks(MESSAGE_BYTES) {
            copy.send(message).await?;
        }
    } else {
        scratch.extend_from_slice(HEADER);
        for row in rows {
            scratch.extend_from_slice(target.rows.bytes(row));
            if scratch.len() >= MESSAGE_BYTES {
                copy.send(scratch.as_slice()).await?;
                scratch.clear();
            }
        }
    }
    scratch.extend_from_slice(TRAILER);
    copy.send(scratch.as_slice()).await?;
    copy.finish().await
}
