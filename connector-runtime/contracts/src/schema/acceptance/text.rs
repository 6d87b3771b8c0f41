//! Lengths and formats of strings. Each may say no to what is valid after all.

/// Whether it has at least so many characters. A character has four bytes at most.
pub(super) fn is_at_least(content: &str, characters: usize) -> bool {
    content.len() >= characters
        && (content.len() / 4 >= characters || content.chars().count() >= characters)
}

/// Whether it has at most so many characters.
pub(super) fn is_at_most(content: &str, characters: usize) -> bool {
    content.len() <= characters || content.chars().count() <= characters
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CheckedFormat {
    Date,
    DateTime,
    Uuid,
}

impl CheckedFormat {
    pub(super) fn of(name: &str) -> Option<CheckedFormat> {
        match name {
            "date" => Some(CheckedFormat::Date),
            "date-time" => Some(CheckedFormat::DateTime),
            "uuid" => Some(CheckedFormat::Uuid),
            _ => None,
        }
    }

    pub(super) fn accepts(self, content: &str) -> bool {
        match self {
            CheckedFormat::Date => {
                let date = content.as_bytes().split_first_chunk::<10>();
                date.is_some_and(|(date, rest)| is_date(date) && rest.is_empty())
            }
            CheckedFormat::DateTime => is_date_time(content.as_bytes()),
            CheckedFormat::Uuid => is_uuid(content.as_bytes()),
        }
    }
}

/// RFC 3339. Leap days and leap seconds are for the validator.
fn is_date_time(text: &[u8]) -> bool {
    let Some((date, text)) = text.split_first_chunk::<10>() else {
        return false;
    };
    let Some((time, text)) = text.split_first_chunk::<9>() else {
        return false;
    };
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return false;
    };
    let is_time = pair(*h1, *h2) <= 23 && pair(*m1, *m2) <= 59 && pair(*s1, *s2) <= 59;
    is_time && is_date(date) && is_offset(behind_fraction(text))
}

fn is_date(date: &[u8; 10]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
        return false;
    };
    let is_year = pair(*y1, *y2) <= 99 && pair(*y3, *y4) <= 99;
    let days = match pair(*m1, *m2) {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28,
        _ => return false,
    };
    is_year && (1..=days).contains(&pair(*d1, *d2))
}

/// The number of two digits; more than 99 if they are none.
fn pair(tens: u8, ones: u8) -> u32 {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => 100,
    };
    digit(tens) * 10 + digit(ones)
}

fn behind_fraction(text: &[u8]) -> &[u8] {
    let Some(fraction) = text.strip_prefix(b".") else {
        return text;
    };
    match fraction.iter().position(|byte| !byte.is_ascii_digit()) {
        Some(end @ 1..) => fraction.get(end..).unwrap_or_default(),
        _ => &[],
    }
}

fn is_offset(text: &[u8]) -> bool {
    match text {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => pair(*h1, *h2) <= 23 && pair(*m1, *m2) <= 59,
        _ => false,
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
