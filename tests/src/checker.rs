//! The checker: reports which ids were lost, duplicated, invented, altered or reordered between a topic and its
//! target.
//!
//! It is pure, and tested with planted faults: a checker that was never seen failing proves nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Topic, partition and offset of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

impl Place {
    pub fn new(topic: &str, partition: i32, offset: i64) -> Place {
        Place {
            topic: topic.to_owned(),
            partition,
            offset,
        }
    }
}

/// A fingerprint of content that must arrive unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(u64);

impl Digest {
    pub fn of(content: impl AsRef<[u8]>) -> Digest {
        let mut hasher = DefaultHasher::new();
        content.as_ref().hash(&mut hasher);
        Digest(hasher.finish())
    }

    /// For a file that another process reads.
    pub fn to_number(self) -> u64 {
        self.0
    }

    pub fn from_number(number: u64) -> Digest {
        Digest(number)
    }
}

/// One record in the ledger, or found in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub place: Place,
    pub digest: Digest,
}

impl Entry {
    pub fn new(id: impl Into<String>, place: Place, digest: Digest) -> Entry {
        Entry {
            id: id.into(),
            place,
            digest,
        }
    }
}

/// The produced records, as the broker acknowledged them.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<String, Entry>,
    /// Sent but never acknowledged: they may be in the topic or not.
    maybe: BTreeSet<String>,
    /// Acknowledged more than once under one id.
    repeated: Vec<String>,
}

impl Ledger {
    pub fn acknowledged(&mut self, entry: Entry) {
        if let Some(earlier) = self.entries.insert(entry.id.clone(), entry) {
            self.repeated.push(earlier.id);
        }
    }

    pub fn unacknowledged(&mut self, id: impl Into<String>) {
        self.maybe.insert(id.into());
    }

    pub fn merge(&mut self, other: Ledger) {
        for entry in other.entries.into_values() {
            self.acknowledged(entry);
        }
        self.maybe.extend(other.maybe);
        self.repeated.extend(other.repeated);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

impl FromIterator<Entry> for Ledger {
    fn from_iter<Entries: IntoIterator<Item = Entry>>(entries: Entries) -> Ledger {
        let mut ledger = Ledger::default();
        for entry in entries {
            ledger.acknowledged(entry);
        }
        ledger
    }
}

/// The content of the target.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// In the order of writing.
    pub rows: Vec<Entry>,
    pub dead_letters: Vec<Entry>,
    /// Ids filtered on purpose.
    pub filtered: BTreeSet<String>,
}

/// The faults, by id. All lists are empty if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, but not written, dead-lettered or filtered.
    pub lost: Vec<String>,
    /// More than once in rows and dead letters together.
    pub twice: Vec<String>,
    /// Never produced.
    pub invented: Vec<String>,
    /// Found with another content or origin.
    pub altered: Vec<String>,
    /// Written after a later record of the same partition.
    pub disordered: Vec<String>,
}

impl Verdict {
    pub fn reconcile(ledger: &Ledger, evidence: &Evidence) -> Verdict {
        let mut verdict = Verdict {
            twice: ledger.repeated.clone(),
            ..Verdict::default()
        };
        let mut seen = BTreeSet::new();
        for found in evidence.rows.iter().chain(&evidence.dead_letters) {
            if !seen.insert(found.id.as_str()) {
                verdict.twice.push(found.id.clone());
            }
            match ledger.entries.get(&found.id) {
                Some(produced) if produced != found => verdict.altered.push(found.id.clone()),
                Some(_) => {}
                None if ledger.maybe.contains(&found.id) => {}
                None => verdict.invented.push(found.id.clone()),
            }
        }
        verdict.lost = ledger
            .entries
            .keys()
            .filter(|id| !seen.contains(id.as_str()) && !evidence.filtered.contains(*id))
            .cloned()
            .collect();
        verdict.disordered = disordered(&evidence.rows);
        verdict
    }

    pub fn is_clean(&self) -> bool {
        *self == Verdict::default()
    }

    /// Fails the test unless every record arrived once, unaltered and in order.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }

    /// Fails the test if records are missing or wrong. Duplicates are allowed by "at least once".
    pub fn assert_at_least_once(&self) {
        let kept = Verdict {
            twice: Vec::new(),
            disordered: Vec::new(),
            ..self.clone()
        };
        assert!(kept.is_clean(), "{self}");
    }
}

fn disordered(rows: &[Entry]) -> Vec<String> {
    let mut latest: HashMap<(&str, i32), i64> = HashMap::new();
    let mut disordered = Vec::new();
    for row in rows {
        let partition = (row.place.topic.as_str(), row.place.partition);
        let highest = latest.entry(partition).or_insert(row.place.offset);
        if row.place.offset < *highest {
            disordered.push(row.id.clone());
        }
        *highest = row.place.offset.max(*highest);
    }
    disordered
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("lost", &self.lost),
            ("twice", &self.twice),
            ("invented", &self.invented),
            ("altered", &self.altered),
            ("disordered", &self.disordered),
        ];
        for (kind, ids) in kinds {
            let first: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
            writeln!(
                formatter,
                "{kind:>10} {:>7}  {}",
                ids.len(),
                first.join(" ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64) -> Entry {
        let place = Place::new("t", i32::try_from(number % 3).unwrap(), number);
        Entry::new(
            format!("id-{number}"),
            place,
            Digest::of(number.to_string()),
        )
    }

    /// A hundred records that all arrived: 0 to 89 as rows, 90 to 98 as dead letters, 99 filtered.
    fn complete() -> (Ledger, Evidence) {
        let evidence = Evidence {
            rows: (0..90).map(entry).collect(),
            dead_letters: (90..99).map(entry).collect(),
            filtered: BTreeSet::from(["id-99".to_owned()]),
        };
        ((0..100).map(entry).collect(), evidence)
    }

    fn check(fault: &str, plant: impl FnOnce(&mut Ledger, &mut Evidence), expected: &Verdict) {
        let (mut ledger, mut evidence) = complete();
        plant(&mut ledger, &mut evidence);
        let verdict = Verdict::reconcile(&ledger, &evidence);
        assert_eq!(&verdict, expected, "{fault}");
    }

    fn id(number: i64) -> Vec<String> {
        vec![format!("id-{number}")]
    }

    #[test]
    fn names_every_planted_fault_and_nothing_else() {
        let clean = Verdict::default;
        check("nothing planted", |_, _| {}, &clean());
        check(
            "a row is lost",
            |_, evidence| drop(evidence.rows.remove(17)),
            &Verdict {
                lost: id(17),
                ..clean()
            },
        );
        check(
            "a dead letter is lost",
            |_, evidence| drop(evidence.dead_letters.remove(3)),
            &Verdict {
                lost: id(93),
                ..clean()
            },
        );
        check(
            "a filtered record is not counted as filtered",
            |_, evidence| evidence.filtered.clear(),
            &Verdict {
                lost: id(99),
                ..clean()
            },
        );
        check(
            "a row is there twice, at once",
            |_, evidence| evidence.rows.insert(18, entry(17)),
            &Verdict {
                twice: id(17),
                ..clean()
            },
        );
        check(
            "a row is there twice, again at the end",
            |_, evidence| evidence.rows.push(entry(17)),
            &Verdict {
                twice: id(17),
                disordered: id(17),
                ..clean()
            },
        );
        check(
            "a row is a dead letter too",
            |_, evidence| evidence.dead_letters.push(entry(20)),
            &Verdict {
                twice: id(20),
                ..clean()
            },
        );
        check(
            "a dead letter is there twice",
            |_, evidence| evidence.dead_letters.push(entry(95)),
            &Verdict {
                twice: id(95),
                ..clean()
            },
        );
        check(
            "two rows of one partition are swapped",
            |_, evidence| evidence.rows.swap(30, 33),
            &Verdict {
                disordered: id(30),
                ..clean()
            },
        );
        check(
            "two rows of different partitions are swapped, which is no fault",
            |_, evidence| evidence.rows.swap(30, 31),
            &clean(),
        );
        check(
            "one byte of a row is altered",
            |_, evidence| evidence.rows[40].digest = Digest::of("4O"),
            &Verdict {
                altered: id(40),
                ..clean()
            },
        );
        check(
            "one byte of a dead letter is altered",
            |_, evidence| evidence.dead_letters[4].digest = Digest::of("9A"),
            &Verdict {
                altered: id(94),
                ..clean()
            },
        );
        check(
            "a row says another offset",
            |_, evidence| evidence.rows[89].place.offset += 1,
            &Verdict {
                altered: id(89),
                ..clean()
            },
        );
        check(
            "the contents of two rows are exchanged",
            |_, evidence| {
                let digest = evidence.rows[5].digest;
                evidence.rows[5].digest = evidence.rows[6].digest;
                evidence.rows[6].digest = digest;
            },
            &Verdict {
                altered: vec!["id-5".into(), "id-6".into()],
                ..clean()
            },
        );
        check(
            "a row that nobody produced",
            |_, evidence| evidence.rows.push(entry(200)),
            &Verdict {
                invented: id(200),
                ..clean()
            },
        );
        check(
            "a row whose acknowledgement never came, which is no fault",
            |ledger, evidence| {
                ledger.unacknowledged("id-200");
                ledger.unacknowledged("id-201");
                evidence.rows.push(entry(200));
            },
            &clean(),
        );
        check(
            "the producer wrote one id twice",
            |ledger, _| ledger.acknowledged(entry(50)),
            &Verdict {
                twice: id(50),
                ..clean()
            },
        );
    }

    #[test]
    fn at_least_once_allows_repetition_and_nothing_else() {
        let (ledger, mut evidence) = complete();
        evidence.rows.push(entry(17));
        Verdict::reconcile(&ledger, &evidence).assert_at_least_once();
        evidence.rows.retain(|row| row.id != "id-17");
        let lost = Verdict::reconcile(&ledger, &evidence);
        assert!(std::panic::catch_unwind(|| lost.assert_at_least_once()).is_err());
    }
}
