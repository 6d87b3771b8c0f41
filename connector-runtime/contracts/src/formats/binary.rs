//! Building blocks of binary formats: a reader that stops at the end of its bytes, base-128 numbers and zigzag.

use crate::trail::{Misread, misread};

/// The unread bytes of a payload, or of a part of it.
#[derive(Clone, Copy)]
pub(super) struct ByteReader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> ByteReader<'a> {
        ByteReader { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Misread> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => misread(format!(
                "the bytes end: {count} are needed and {} are left",
                self.rest.len()
            )),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("`take` returns N bytes"))
    }

    /// A number in base 128, the lowest group first.
    pub(super) fn varint(&mut self) -> Result<u64, Misread> {
        let mut number: u64 = 0;
        for group in 0..10 {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if group == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        misread("a number of more than 64 bits")
    }
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
