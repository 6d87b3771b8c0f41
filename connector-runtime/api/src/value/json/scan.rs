//! Where strings and numbers end, eight bytes at a time where that pays.

/// The index of the first byte from `from` on that ends or interrupts plain text: a quote, a backslash or a control
/// character. `None`: the document ends first.
#[inline]
pub(super) fn plain_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..)?.first_chunk::<8>() {
        let found = interrupts(u64::from_le_bytes(*chunk));
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let mut rest = bytes.get(at..)?.iter();
    let within = rest.position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
    Some(at + within)
}

/// The top bit of each byte that interrupts plain text. Above the lowest of them others may be set in error: a
/// subtraction borrows from the next byte.
#[inline]
fn interrupts(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * 0x22));
    let backslashes = zeros(word ^ (ONES * 0x5c));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & TOPS
}

/// Where the number that begins at `from` ends (RFC 8259, section 6); `None` if none does.
#[inline]
pub(super) fn number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let whole = from + usize::from(bytes.get(from) == Some(&b'-'));
    let mut end = match bytes.get(whole)? {
        b'0' => whole + 1,
        b'1'..=b'9' => digits_end(bytes, whole + 1),
        _ => return None,
    };
    if bytes.get(end) == Some(&b'.') {
        end = some_digits_end(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let has_sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = some_digits_end(bytes, end + 1 + usize::from(has_sign))?;
    }
    Some(end)
}

#[inline]
fn digits_end(bytes: &[u8], from: usize) -> usize {
    let mut end = from;
    while let Some(b'0'..=b'9') = bytes.get(end) {
        end += 1;
    }
    end
}

#[inline]
fn some_digits_end(bytes: &[u8], from: usize) -> Option<usize> {
    let end = digits_end(bytes, from);
    (end > from).then_some(end)
}

/// The character of the escape whose backslash is at `at`, and where the escape ends. `None` for what is no escape of a
/// character, such as half of a surrogate pair.
pub(super) fn escaped(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let plain = match bytes.get(at + 1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes, at),
        _ => return None,
    };
    Some((plain, at + 2))
}

fn unicode(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let first = code_unit(bytes, at)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, at + 6));
    }
    let second = code_unit(bytes, at + 6)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((character, at + 12))
}

/// The number in the `\uXXXX` that begins at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_ends_at_the_first_byte_that_interrupts_it() {
        for interrupt in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for before in 0..20 {
                for after in 0..20 {
                    let mut text = vec![b'a'; before];
                    text.push(interrupt);
                    // What a borrow could take for an interruption, and what is one.
                    text.extend(
                        std::iter::repeat_n([b'#', b']', b' ', b'"', 0xc3], after).flatten(),
                    );
                    assert_eq!(plain_end(&text, 0), Some(before), "{text:?}");
                }
            }
        }
        for plain in 0x20..=0xff_u8 {
            let is_plain = !matches!(plain, b'"' | b'\\');
            assert_eq!(plain_end(&[plain; 21], 0).is_none(), is_plain, "{plain:#x}");
        }
    }
}
