//! Which message of the schema follows: a path of indexes before the message.

use super::schema::{MessageId, ProtobufSchema};
use super::wire::{WireReader, unzigzag};

/// The message that the indexes at the beginning of `payload` lead to, and the bytes behind them. A count of 0 stands for
/// the path of the first message, `[0]`.
pub(super) fn read<'p>(
    schema: &ProtobufSchema,
    payload: &'p [u8],
) -> Result<(MessageId, &'p [u8]), String> {
    let mut input = WireReader::new(payload);
    let count = number(&mut input)?;
    if count == 0 {
        return Ok((schema.first(), input.rest));
    }
    // Nothing is allocated by the count: the first index that leads nowhere ends the way.
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

fn number(input: &mut WireReader<'_>) -> Result<i64, String> {
    let number = input.varint().map(unzigzag);
    number.map_err(|misread| format!("{} among the message indexes", misread.reason))
}

/// The message with an index among those inside `outer`.
///
/// Serializers disagree about what counts: those of Python and Go number the messages of a descriptor, where each `map<…>` and
/// group adds one, and that of Java numbers the messages of the text. Where both ways lead to different messages, nothing
/// tells which is meant.
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
