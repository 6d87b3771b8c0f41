//! The index path before a message: it selects the message type within the schema.

use super::schema::{MessageId, ProtobufSchema};
use crate::formats::binary::{ByteReader, unzigzag};

/// The message type that the indexes at the beginning of `payload` select, and the bytes after them. A count of 0 abbreviates the
/// path `[0]`.
pub(super) fn read<'p>(
    schema: &ProtobufSchema,
    payload: &'p [u8],
) -> Result<(MessageId, &'p [u8]), String> {
    let mut input = ByteReader::new(payload);
    let count = number(&mut input)?;
    if count == 0 {
        return Ok((schema.first(), input.rest));
    }
    // The count allocates nothing: the first invalid index ends the loop.
    let mut found = None;
    for _ in 0..count {
        let index = number(&mut input)?;
        found = Some(step(schema, found, index)?);
    }
    match found {
        Some(message) => Ok((message, input.rest)),
        None => Err(format!("it has {count} message indexes")),
    }
}

fn number(input: &mut ByteReader<'_>) -> Result<i64, String> {
    let number = input.varint().map(unzigzag);
    number.map_err(|misread| format!("{} among the message indexes", misread.reason))
}

/// The message with this index among those inside `outer`.
///
/// Serializers disagree about indexes: those of Python and Go count the messages of the descriptor, where each `map<…>` and group
/// adds one; Java's counts the messages of the text. If that leads to different messages, the index is ambiguous.
fn step(
    schema: &ProtobufSchema,
    outer: Option<MessageId>,
    index: i64,
) -> Result<MessageId, String> {
    let (among, of) = match outer {
        None => (&schema.top, "the schema"),
        Some(outer) => {
            let outer = schema.message(outer);
            (&outer.nested, &*outer.name)
        }
    };
    let is_written = |id: &&MessageId| !schema.message(**id).is_synthetic;
    let position = usize::try_from(index).ok();
    let in_descriptor = position.and_then(|index| among.get(index));
    let in_descriptor = in_descriptor.filter(is_written);
    let in_text = position.and_then(|index| among.iter().filter(is_written).nth(index));
    match (in_descriptor, in_text) {
        (Some(descriptor), Some(text)) if descriptor != text => Err(format!(
            "its message index {index} in {of} is {} as Java counts and {} as Python and Go do; \
             define nested messages before fields of type map",
            schema.message(*text).name,
            schema.message(*descriptor).name,
        )),
        (Some(found), _) | (None, Some(found)) => Ok(*found),
        (None, None) => Err(format!(
            "its message index {index} is not one of the {} messages in {of}",
            among.iter().filter(is_written).count()
        )),
    }
}
