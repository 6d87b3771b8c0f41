//! Guesses the format of unexpected bytes, for error messages.

/// Magic bytes of formats.
const SIGNATURES: [(&[u8], &str); 9] = [
    (&[0x1f, 0x8b], "it looks like gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "it looks like zstd"),
    (&[0x04, 0x22, 0x4d, 0x18], "it looks like lz4"),
    (b"Obj\x01", "it looks like an Avro file with its header"),
    (b"PAR1", "it looks like Parquet"),
    (b"<?xml", "it looks like XML"),
    (b"PK\x03\x04", "it looks like a ZIP archive"),
    (&[0xef, 0xbb, 0xbf], "it begins with a byte order mark"),
    (
        &[0xc3, 0x01],
        "it looks like a single Avro object (magic bytes c3 01)",
    ),
];

/// A clause about `bytes`, with what to write if that is known.
pub(crate) fn looks_like(bytes: &[u8]) -> String {
    let Some(first) = bytes.first() else {
        return "it is empty".to_owned();
    };
    if let Some((_, words)) = SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
    {
        return (*words).to_owned();
    }
    match first {
        0x00 if bytes.len() > 5 => {
            "the magic byte 0 shows that a schema registry's serializer wrote it; \
             set `registry = {}`"
                .to_owned()
        }
        // The header serializer's own prefix: a version and a GUID of 16 bytes.
        0x01 if bytes.len() > 17 => {
            "the magic byte 1 precedes a schema GUID, which is not supported".to_owned()
        }
        b'{' | b'[' | b'"' => format!("`{}` looks like plain JSON", char::from(*first)),
        b'<' => "`<` looks like XML or HTML".to_owned(),
        0x20..=0x7e => "it looks like text that is not JSON".to_owned(),
        _ if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control)) => {
            "it looks like text that is not JSON".to_owned()
        }
        _ => "it looks like binary data".to_owned(),
    }
}

/// What bytes that should be JSON look like, or `None` if the parser's message is more helpful.
pub(crate) fn instead_of_json(bytes: &[u8]) -> Option<String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        // It begins like JSON: the position of the syntax error is more helpful.
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => None,
        None if !bytes.is_empty() => Some("there is only white space".to_owned()),
        _ => Some(looks_like(bytes)),
    }
}
