//! Text of messages: plurals, and escaping and cutting text from outside.

use std::borrow::Cow;

/// `1 element`, `2 elements`.
pub fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// Whether terminals and editors show this character. They obey others: control characters move the cursor, and bidirectional
/// overrides and isolates reorder the text after them.
pub fn is_printable(character: char) -> bool {
    let reorders = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    !reorders && !character.is_control()
}

/// The text with every character that is not printable escaped: a line end as `\n`, an escape as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    text.chars()
        .for_each(|character| push_printable(&mut out, character));
    Cow::Owned(out)
}

/// As [`printable`], but keeps line ends.
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Joins lines to one, by `; ` or, after a colon, by a space. Drops indentation and the spaces that align columns.
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.fold(String::with_capacity(text.len()), |mut out, line| {
        if out.ends_with(':') {
            out.push(' ');
        } else if !out.is_empty() {
            out.push_str("; ");
        }
        // `word     text` is a row of a table; spaces elsewhere may be content.
        match line.split_once(' ') {
            Some((word, text)) => out.extend([word, " ", text.trim_start()]),
            None => out.push_str(line),
        }
        out
    })
}

/// The text for one line of a terminal or a log: as [`printable`], cut after `longest` characters.
pub fn cut(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == longest {
            out.push('…');
            break;
        }
        push_printable(&mut out, character);
    }
    out
}

/// Appends one character as [`printable`] writes it.
pub fn push_printable(out: &mut String, character: char) {
    if is_printable(character) {
        out.push(character);
    } else if character.is_control() {
        out.extend(character.escape_default());
    } else {
        out.extend(character.escape_unicode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_one() {
        let cases = [
            ("one", "one"),
            ("", ""),
            (
                "stopped at a record\n  record   a partition 0\n  next     set this\n",
                "stopped at a record; record a partition 0; next set this",
            ),
            (
                "two findings:\n\n  a = \"x  y\"",
                "two findings: a = \"x  y\"",
            ),
            ("  found    \"x  y\"", "found \"x  y\""),
        ];
        for (text, expected) in cases {
            assert_eq!(one_line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let cases = [
            ("übermäßig 中 \\ \"", "übermäßig 中 \\ \""),
            ("a\u{1b}[2J\u{7}b", "a\\u{1b}[2J\\u{7}b"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\u{7}\nb\r\n"), "a\\u{7}\nb\\r\n");
    }
}
