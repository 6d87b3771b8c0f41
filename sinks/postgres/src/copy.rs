//! Appending by COPY BINARY.

use crate::rows::Row;
use crate::statement;
use crate::target::{Shape, Target};
use crate::unnest::Session;

/// Signature, flags and length of an extension, of which there is none.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A count of fields that no row has.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// The server parses a message while the next is on its way, and counts whole messages: who looks whether a COPY moves
/// sees no less.
const MESSAGE_BYTES: usize = 256 * 1024;

/// Sends these rows of a target, which have the same columns. Returns the rows written.
///
/// Rows are in the buffer as COPY wants them, behind its header: all of them are sent as they are.
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
