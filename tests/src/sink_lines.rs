//! The lines of the faulty sink: its records and the write of each.

use std::path::Path;

use crate::checker::{Digest, Entry, Place};

/// One written record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The write's number, from 1 for each opened sink.
    pub write: u64,
    /// Of the value and the headers.
    pub bytes: u64,
    /// Its content is the value.
    pub entry: Entry,
}

impl Written {
    pub fn to_line(&self) -> String {
        let Entry { id, place, digest } = &self.entry;
        format!(
            "{} {} {} {} {} {} {id}\n",
            self.write,
            self.bytes,
            digest.to_number(),
            place.topic,
            place.partition,
            place.offset,
        )
    }

    fn parse(line: &str) -> Written {
        let words: Vec<&str> = line.splitn(7, ' ').collect();
        let number = |index: usize| -> u64 { words[index].parse().expect("a number") };
        let place = Place::new(
            words[3],
            words[4].parse().expect("a partition"),
            words[5].parse().expect("an offset"),
        );
        Written {
            write: number(0),
            bytes: number(1),
            entry: Entry::new(words[6], place, Digest::from_number(number(2))),
        }
    }

    /// The records so far; none if the file does not exist. An incomplete last line is ignored.
    pub fn read(file: &Path) -> Vec<Written> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete.lines().map(Written::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let written = Written {
            write: 7,
            bytes: 3,
            entry: Entry::new("an id", Place::new("topic", 2, 19), Digest::of("abc")),
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), written.to_line() + "8 3 1 top").unwrap();
        assert_eq!(Written::read(file.path()), [written]);
    }
}
