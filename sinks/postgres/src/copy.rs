//! Appending by COPY BINARY.

use sqlx::postgres::PgConnection;

use crate::target::Target;

/// Signature, flags and length of an extension, of which there is none.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A count of fields that no row has.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// The server parses a message while the next is on its way, and counts whole messages: who looks whether a COPY moves
/// sees no less.
const MESSAGE_BYTES: usize = 256 * 1024;

/// Sends all rows of a target, one COPY for each set of columns. Returns the rows written.
///
/// The rows stand in the buffer as COPY wants them, behind its header: where all have the same columns, which is the
/// rule, the buffer is sent as it is.
pub(crate) async fn send(
    connection: &mut PgConnection,
    target: &mut Target,
    scratch: &mut Vec<u8>,
) -> Result<u64, sqlx::Error> {
    let Some(first) = target.rows.rows.first() else {
        return Ok(0);
    };
    if target.rows.rows.iter().all(|row| row.set == first.set) {
        let set = first.set;
        target.rows.data.extend_from_slice(TRAILER);
        return copy(connection, target, set, &target.rows.data).await;
    }
    let mut written = 0;
    for set in 0..target.sets.len() {
        scratch.clear();
        scratch.extend_from_slice(HEADER);
        for row in target.rows.rows.iter().filter(|row| row.set == set) {
            scratch.extend_from_slice(target.rows.bytes(row));
        }
        if scratch.len() > HEADER.len() {
            scratch.extend_from_slice(TRAILER);
            written += copy(connection, target, set, scratch).await?;
        }
    }
    Ok(written)
}

async fn copy(
    connection: &mut PgConnection,
    target: &Target,
    set: usize,
    data: &[u8],
) -> Result<u64, sqlx::Error> {
    let Some(set) = target.sets.get(set) else {
        return Ok(0);
    };
    let mut copy = connection.copy_in_raw(&set.statement).await?;
    for message in data.chunks(MESSAGE_BYTES) {
        copy.send(message).await?;
    }
    copy.finish().await
}
