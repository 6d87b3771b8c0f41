//! Formats numbers, times and foreign text for people.

use connect_api::text::printable_lines;

/// Digits in groups of three: `12 480`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A duration in whole seconds: `12 s`, `3 min`, `2 h 5 min`, `4 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => match (seconds / 3_600, seconds % 3_600 / 60) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        },
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A short duration with a tenth of a second: `0.4 s`.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Foreign text with everything escaped that controls a terminal. Line breaks stay.
pub(super) fn clean(text: &str) -> String {
    printable_lines(&text.replace('\t', " "))
}

/// The number of visible characters: colours, from ESC to `m`, do not count.
pub(super) fn visible_width(line: &str) -> usize {
    let mut width = 0;
    let mut is_colour = false;
    for character in line.chars() {
        match character {
            '\u{1b}' => is_colour = true,
            'm' if is_colour => is_colour = false,
            _ if !is_colour => width += 1,
            _ => {}
        }
    }
    width
}

/// Lines of at most `width` characters, broken at spaces where possible. Lines after the first are indented.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let width = width.max(indent + 1);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.trim_end().chars().collect();
    while rest.len() > width {
        let room = rest.get(..=width).unwrap_or_default();
        // Not inside the indent, where a break would make no progress.
        let blank = room.iter().rposition(|character| *character == ' ');
        let end = blank.filter(|end| *end > indent).unwrap_or(width);
        let remainder = rest.split_off(end);
        lines.push(rest.iter().collect::<String>().trim_end().to_owned());
        let remainder = remainder
            .into_iter()
            .skip_while(|character| *character == ' ');
        rest = std::iter::repeat_n(' ', indent).chain(remainder).collect();
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (12_480, "12 480"),
            (1_234_567, "1 234 567"),
            (u64::MAX, "18 446 744 073 709 551 615"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn colours_have_no_width() {
        assert_eq!(
            visible_width("  sales  \u{1b}[38;5;9mFAILED\u{1b}[39m  –"),
            18
        );
    }

    #[test]
    fn spans() {
        for (seconds, expected) in [
            (0, "0 s"),
            (99, "99 s"),
            (100, "1 min"),
            (5_999, "99 min"),
            (6_000, "1 h 40 min"),
            (7_200, "2 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn terminal_controls_are_escaped() {
        assert_eq!(
            clean("a\u{1b}[2Jb\r\u{7f}\u{9b}c\td\ne"),
            "a\\u{1b}[2Jb\\r\\u{7f}\\u{9b}c d\ne"
        );
        assert_eq!(clean("übermäßig 中"), "übermäßig 中");
    }

    #[track_caller]
    fn check(text: &str, width: usize, expected: &[&str]) {
        assert_eq!(wrap(text, width, 2), expected);
    }

    #[test]
    fn wrapping() {
        check("", 10, &[""]);
        check("short", 10, &["short"]);
        check("exactly 10", 10, &["exactly 10"]);
        check("one two three four", 10, &["one two", "  three", "  four"]);
        check("abcdefghijklmnop", 10, &["abcdefghij", "  klmnop"]);
        check("ab  cd", 3, &["ab", "  c", "  d"]);
        check("wide", 0, &["wid", "  e"]);
    }
}
