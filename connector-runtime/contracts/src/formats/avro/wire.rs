//! Avro's two building blocks: zigzag numbers in base 128, and bytes after their length.

use crate::formats::binary::{ByteReader, unzigzag, write_varint, zigzag};
use crate::trail::{Misread, misread};

pub(super) fn read_long(input: &mut ByteReader<'_>) -> Result<i64, Misread> {
    input.varint().map(unzigzag)
}

pub(super) fn read_sized<'a>(input: &mut ByteReader<'a>) -> Result<&'a [u8], Misread> {
    let size = read_long(input)?;
    match usize::try_from(size) {
        Ok(size) => input.take(size),
        Err(_) => misread(format!("a length of {size}")),
    }
}

pub(super) fn write_long(out: &mut Vec<u8>, number: i64) {
    write_varint(out, zigzag(number));
}

pub(super) fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}
