//! A fast parser of the usual form of times: RFC 3339 with at most six fraction digits, at fixed positions.
//!
//! [`super::time`] parses every other form.

use connect_api::calendar::CivilDate;

use super::calendar::{DAYS_TO_2000, MICROSECONDS_A_DAY, MICROSECONDS_A_SECOND};

/// A date and a time with an offset.
pub(super) struct UsualTime {
    /// Days since 1970-01-01.
    pub(super) day: i64,
    /// Microseconds since midnight.
    pub(super) time: i64,
    /// Seconds east of UTC.
    pub(super) offset: i64,
}

impl UsualTime {
    pub(super) fn microseconds_since_2000(&self) -> i64 {
        let since_midnight = self.time - self.offset * MICROSECONDS_A_SECOND;
        (self.day - DAYS_TO_2000) * MICROSECONDS_A_DAY + since_midnight
    }

    pub(super) fn parse(text: &[u8]) -> Option<UsualTime> {
        let (date, text) = text.split_first_chunk::<10>()?;
        let (time, text) = text.split_first_chunk::<9>()?;
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
            return None;
        };
        let [b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *time else {
            return None;
        };
        let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
        let date = CivilDate::new(year, pair(m1, m2)? as u8, pair(d1, d2)? as u8)?;
        let (hour, minute, second) = (pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?);
        if year == 0 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, text) = match text {
            [b'.', rest @ ..] => microseconds(rest)?,
            _ => (0, text),
        };
        let seconds = hour * 3_600 + minute * 60 + second;
        Some(UsualTime {
            day: date.epoch_days(),
            time: seconds * MICROSECONDS_A_SECOND + fraction,
            offset: offset(text)?,
        })
    }
}

/// The number of two digits.
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// One to six fraction digits, and the rest.
fn microseconds(text: &[u8]) -> Option<(i64, &[u8])> {
    /// What one of the last of so many digits counts.
    const UNITS: [i64; 6] = [100_000, 10_000, 1_000, 100, 10, 1];
    let (mut number, mut count) = (0, 0);
    for byte in text.iter().take(UNITS.len() + 1) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + i64::from(digit);
        count += 1;
    }
    let unit = UNITS.get(usize::checked_sub(count, 1)?)?;
    Some((number * unit, text.get(count..)?))
}

/// `Z` or `+HH:MM`; PostgreSQL takes no more than 15 hours.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours <= 15 && minutes <= 59).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}
