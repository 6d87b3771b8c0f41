//! Dates and times between the counts of Avro, Protobuf and Kafka Connect and text.
//!
//! Every count has a text, including those that Debezium writes for "no end", and the text converts back to the same count.

use connect_api::calendar::CivilDate;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

/// The unit that a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimePrecision {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimePrecision {
    fn per_second(self) -> i64 {
        match self {
            TimePrecision::Milliseconds => 1_000,
            TimePrecision::Microseconds => 1_000_000,
            TimePrecision::Nanoseconds => 1_000_000_000,
        }
    }

    /// Digits of the fraction of a second.
    fn digits(self) -> usize {
        match self {
            TimePrecision::Milliseconds => 3,
            TimePrecision::Microseconds => 6,
            TimePrecision::Nanoseconds => 9,
        }
    }

    /// `nanoseconds` in this unit, if that is exact.
    fn exactly(self, nanoseconds: i128) -> Option<i64> {
        let nanoseconds_per_unit = NANOSECONDS_PER_SECOND / i128::from(self.per_second());
        if nanoseconds % nanoseconds_per_unit != 0 {
            return None;
        }
        i64::try_from(nanoseconds / nanoseconds_per_unit).ok()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            TimePrecision::Milliseconds => "milliseconds",
            TimePrecision::Microseconds => "microseconds",
            TimePrecision::Nanoseconds => "nanoseconds",
        }
    }
}

/// An instant as RFC 3339 in UTC; a year beyond four digits has a sign, as in ISO 8601.
pub(crate) fn timestamp_text(count: i64, unit: TimePrecision) -> String {
    local_timestamp_text(count, unit) + "Z"
}

/// An instant as in [`timestamp_text`], with as many fraction digits as needed: 3, 6 or 9.
pub(crate) fn instant_text(seconds: i64, nanoseconds: u32) -> String {
    let date = CivilDate::from_epoch_days(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let (digits, fraction) = shortest_fraction(nanoseconds);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}Z")
}

/// How many digits a fraction of a second needs, 3, 6 or 9, and the fraction in them.
pub(crate) fn shortest_fraction(nanoseconds: u32) -> (usize, u32) {
    if nanoseconds.is_multiple_of(1_000_000) {
        (3, nanoseconds / 1_000_000)
    } else if nanoseconds.is_multiple_of(1_000) {
        (6, nanoseconds / 1_000)
    } else {
        (9, nanoseconds)
    }
}

/// A local time, without an offset.
pub(crate) fn local_timestamp_text(count: i64, unit: TimePrecision) -> String {
    let seconds = count.div_euclid(unit.per_second());
    let date = CivilDate::from_epoch_days(seconds.div_euclid(SECONDS_PER_DAY));
    let clock = clock_text(seconds.rem_euclid(SECONDS_PER_DAY), count, unit);
    format!("{date}T{clock}")
}

/// Days since 1970 as `2026-11-20`.
pub(crate) fn date_text(days: i32) -> String {
    CivilDate::from_epoch_days(days.into()).to_string()
}

/// A time of day as `20:15:00.000`; `None` before midnight or after the day.
pub(crate) fn time_text(count: i64, unit: TimePrecision) -> Option<String> {
    let second = count.div_euclid(unit.per_second());
    (0..SECONDS_PER_DAY)
        .contains(&second)
        .then(|| clock_text(second, count, unit))
}

/// `second` is the second of the day; `count` provides the fraction of a second.
fn clock_text(second: i64, count: i64, unit: TimePrecision) -> String {
    let fraction = count.rem_euclid(unit.per_second());
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}",
        digits = unit.digits()
    )
}

/// RFC 3339 with an offset, if it is a whole number of units.
pub(crate) fn timestamp_of(text: &str, unit: TimePrecision) -> Option<i64> {
    unit.exactly(instant_of(text)?)
}

/// RFC 3339 with an offset, in nanoseconds since 1970.
pub(crate) fn instant_of(text: &str) -> Option<i128> {
    let mut rest = Scanner(text);
    let days = rest.date()?;
    rest.one_of(&['T', 't', ' '])?;
    let clock = rest.clock()?;
    let offset = rest.offset()?;
    let seconds = i128::from(days * SECONDS_PER_DAY - offset);
    let nanoseconds = seconds * NANOSECONDS_PER_SECOND + i128::from(clock);
    rest.0.is_empty().then_some(nanoseconds)
}

/// Milliseconds since 1970 in another unit: numbers in records are milliseconds.
pub(crate) fn timestamp_of_milliseconds(milliseconds: i64, unit: TimePrecision) -> Option<i64> {
    unit.exactly(i128::from(milliseconds) * 1_000_000)
}

/// A date and time without an offset, or a date alone, which is its midnight.
pub(crate) fn local_timestamp_of(text: &str, unit: TimePrecision) -> Option<i64> {
    let mut rest = Scanner(text);
    let days = rest.date()?;
    let clock = match rest.one_of(&['T', 't', ' ']) {
        Some(_) => rest.clock()?,
        None => 0,
    };
    let seconds = i128::from(days * SECONDS_PER_DAY);
    let nanoseconds = seconds * NANOSECONDS_PER_SECOND + i128::from(clock);
    unit.exactly(nanoseconds).filter(|_| rest.0.is_empty())
}

pub(crate) fn date_of(text: &str) -> Option<i32> {
    let mut rest = Scanner(text);
    let days = rest.date()?;
    i32::try_from(days).ok().filter(|_| rest.0.is_empty())
}

pub(crate) fn time_of(text: &str, unit: TimePrecision) -> Option<i64> {
    let mut rest = Scanner(text);
    let clock = rest.clock()?;
    unit.exactly(clock.into()).filter(|_| rest.0.is_empty())
}

/// The rest of a text.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn one_of(&mut self, accepted: &[char]) -> Option<char> {
        let first = self.0.chars().next()?;
        self.0 = self.0.strip_prefix(accepted)?;
        Some(first)
    }

    /// The next run of digits.
    fn digits(&mut self) -> &'a str {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let (digits, rest) = self.0.split_at(self.0.len() - rest.len());
        self.0 = rest;
        digits
    }

    /// Two digits of at most `largest`.
    fn pair(&mut self, largest: u8) -> Option<u8> {
        let (digits, rest) = self.0.split_at_checked(2)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|number| *number <= largest);
        self.0 = rest;
        number.filter(|_| is_number)
    }

    /// A year of four digits, or of four to nine with a sign; days since 1970.
    fn date(&mut self) -> Option<i64> {
        let sign = self.one_of(&['+', '-']);
        let digits = self.digits();
        let fits = match sign {
            Some(_) => (4..=9).contains(&digits.len()),
            None => digits.len() == 4,
        };
        let year: i64 = digits.parse().ok().filter(|_| fits)?;
        let year = if sign == Some('-') { -year } else { year };
        self.one_of(&['-'])?;
        let month = self.pair(12)?;
        self.one_of(&['-'])?;
        let day = self.pair(31)?;
        CivilDate::new(year, month, day).map(CivilDate::epoch_days)
    }

    /// Nanoseconds since midnight. Second 60 is refused, because Avro has no count for it.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.pair(23)?;
        self.one_of(&[':'])?;
        let minute = self.pair(59)?;
        let mut second = 0;
        let mut nanoseconds = 0;
        if self.one_of(&[':']).is_some() {
            second = self.pair(59)?;
            if self.one_of(&['.', ',']).is_some() {
                nanoseconds = nanoseconds_of_fraction(self.digits())?;
            }
        }
        let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        Some(seconds * 1_000_000_000 + nanoseconds)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(&['Z', 'z', '+', '-'])? {
            'Z' | 'z' => return Some(0),
            '-' => -1,
            _ => 1,
        };
        let hour = self.pair(23)?;
        let minute = if self.0.is_empty() {
            0
        } else {
            self.one_of(&[':']);
            self.pair(59)?
        };
        Some(sign * (i64::from(hour) * 3_600 + i64::from(minute) * 60))
    }
}

/// `None` for no digits at all, and for digits other than zero beyond nanoseconds.
fn nanoseconds_of_fraction(digits: &str) -> Option<i64> {
    let significant = digits.trim_end_matches('0');
    if digits.is_empty() || significant.len() > 9 {
        return None;
    }
    format!("{significant:0<9}").parse().ok()
}
