//! The text of a file without its secrets.
//!
//! Secrets are found in two ways: schemas name the keys that hold them, and patterns match names and URLs that look like
//! secrets. The patterns also work if the file does not parse or the key is misspelt.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::finding::FileText;

const MASK: &str = "***";

/// Text with each secret replaced by `***`, line breaks kept.
pub(super) struct Masked {
    text: String,
    /// The spans that were replaced, in order.
    pieces: Vec<Range<usize>>,
}

impl Masked {
    pub(super) fn of(file: &FileText) -> Masked {
        let mut ranges: Vec<Range<usize>> = file
            .secrets
            .iter()
            .map(|range| inner(&file.text, range))
            .collect();
        ranges.extend(looks_secret(&file.text));
        let pieces = pieces(&file.text, ranges);
        let mut text = String::with_capacity(file.text.len());
        let mut end = 0;
        for piece in &pieces {
            text.push_str(file.text.get(end..piece.start).unwrap_or_default());
            text.push_str(MASK);
            end = piece.end;
        }
        text.push_str(file.text.get(end..).unwrap_or_default());
        Masked { text, pieces }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The range of the masked text that corresponds to a range of the file. Ends inside a secret move to its edges.
    pub(super) fn moved(&self, range: &Range<usize>) -> Range<usize> {
        self.offset(range.start, false)..self.offset(range.end, true)
    }

    fn offset(&self, offset: usize, is_end: bool) -> usize {
        let mut moved = offset;
        for piece in self.pieces.iter().take_while(|piece| piece.start < offset) {
            moved = if offset >= piece.end {
                moved + MASK.len() - piece.len()
            } else if is_end {
                moved + MASK.len() - (offset - piece.start)
            } else {
                moved - (offset - piece.start)
            };
        }
        moved
    }
}

/// The part of a written secret that is replaced: nothing of a placeholder, otherwise the text between its quotes.
fn inner(text: &str, range: &Range<usize>) -> Range<usize> {
    let written = text.get(range.clone()).unwrap_or_default();
    let bare = written.trim_matches(['"', '\'']);
    if is_only_a_placeholder(bare) {
        return range.start..range.start;
    }
    let start = range.start + (written.len() - written.trim_start_matches(['"', '\'']).len());
    start..(start + bare.len()).min(range.end)
}

fn is_only_a_placeholder(text: &str) -> bool {
    // A default in a placeholder is a literal value.
    text.starts_with("${") && text.find('}') == Some(text.len() - 1) && !text.contains(":-")
}

/// The values of keys whose names suggest a secret, and passwords in URLs.
fn looks_secret(text: &str) -> Vec<Range<usize>> {
    static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?im)(?:^|[\s{,."'])[\w\-.]*?(?:passw|pwd|secret|token|credential|jaas|private_?key|\.pem|api_?key)[\w.\-]*["']?\s*=\s*(\S.*)$"#).ok()
    });
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"://[^\s:/@"']*:([^\s@"']+)@|[?&](?i:password|sslpassword)=([^\s&"']+)"#).ok()
    });
    let mut found = Vec::new();
    for pattern in [&*NAMED, &*ADDRESS].into_iter().flatten() {
        for captures in pattern.captures_iter(text) {
            found.extend(
                captures
                    .iter()
                    .skip(1)
                    .flatten()
                    .map(|group| inner(text, &group.range())),
            );
        }
    }
    found
}

/// Non-empty, in order, without overlaps, and never across a line break.
fn pieces(text: &str, ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    for range in ranges {
        let mut start = range.start;
        for line in text.get(range).unwrap_or_default().split_inclusive('\n') {
            let written = line.trim_end_matches(['\n', '\r']);
            if !written.is_empty() {
                lines.push(start..start + written.len());
            }
            start += line.len();
        }
    }
    lines.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in lines {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, secrets: &[&str]) -> String {
        let secrets = secrets
            .iter()
            .filter_map(|secret| text.find(secret).map(|start| start..start + secret.len()))
            .collect();
        let file = FileText {
            is_outside: false,
            path: "x.toml".into(),
            text: text.into(),
            secrets,
        };
        Masked::of(&file).text().to_owned()
    }

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        let cases = [
            (
                "user = \"u\"\nkey = \"hunter2\"",
                &["\"hunter2\""][..],
                "user = \"u\"\nkey = \"***\"",
            ),
            ("password = \"hunter2\" # why", &[], "password = \"***"),
            ("pasword = \"hunter2", &[], "pasword = \"hunter2"),
            ("passwd = hunter2", &[], "passwd = ***"),
            (
                "url = \"postgres://app:hunter2@db/shop\"",
                &[],
                "url = \"postgres://app:***@db/shop\"",
            ),
            (
                "url = \"postgres://db/shop?password=hunter2&x=1\"",
                &[],
                "url = \"postgres://db/shop?password=***&x=1\"",
            ),
            (
                "password = \"${env:PASSWORD}\"",
                &[],
                "password = \"${env:PASSWORD}\"",
            ),
            (
                "password = \"${env:PASSWORD:-hunter2}\"",
                &[],
                "password = \"***\"",
            ),
            (
                "a = \"\"\"hunter\n2\"\"\"\nb = 1",
                &["\"\"\"hunter\n2\"\"\""],
                "a = \"\"\"***\n***\"\"\"\nb = 1",
            ),
            (
                "\"sasl.password\" = \"hunter2\"\n",
                &[],
                "\"sasl.password\" = \"***\"\n",
            ),
            ("topics = [\"tokens\"]\n", &[], "topics = [\"tokens\"]\n"),
        ];
        for (text, secrets, expected) in cases {
            assert_eq!(masked(text, secrets), expected, "{text}");
        }
    }

    #[test]
    fn places_move_with_the_text() {
        let text = "{ password = \"hunter2\", taks = 2 }";
        let file = FileText {
            is_outside: false,
            path: "x.toml".into(),
            text: text.into(),
            secrets: std::iter::once(14..21).collect(),
        };
        let start = text.find("taks").unwrap_or_default();
        let masked = Masked::of(&file);
        let moved = masked.moved(&(start..start + 4));
        assert!(masked.text().get(moved).is_some(), "{}", masked.text());
    }
}
