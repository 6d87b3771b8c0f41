//! Warns once of progress under other names. A connector or sink that was renamed begins again, because its name is the
//! identity of its progress. Whether that is intended cannot be known here, so the warning says how to continue instead.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use connect_api::{OtherProgress, ProgressStore, TopicPartition};
use tokio::sync::Mutex;

/// Shared by the tasks of a connector.
#[derive(Clone, Default)]
pub(crate) struct OtherNames {
    /// The names of all connector files, broken ones included: their progress belongs to them.
    loaded: Arc<HashSet<Arc<str>>>,
    /// The sinks of this connector: their progress belongs to them.
    sinks: Arc<HashSet<Arc<str>>>,
    /// The sinks that were asked, and about which topics. Locked during the question: a task that starts meanwhile would write
    /// progress, and the sink would then report no other names.
    asked: Arc<Mutex<Asked>>,
}

/// Pairs of a sink's name and a topic.
type Asked = HashSet<(Arc<str>, Arc<str>)>;

impl OtherNames {
    pub(crate) fn new(
        loaded: Arc<HashSet<Arc<str>>>,
        sinks: impl Iterator<Item = Arc<str>>,
    ) -> OtherNames {
        OtherNames {
            loaded,
            sinks: Arc::new(sinks.collect()),
            asked: Arc::default(),
        }
    }

    /// Asks the sink about topics in which it has no progress, before any task starts there.
    pub(crate) async fn point_out(
        &self,
        connector: &str,
        sink: &Arc<str>,
        store: &mut dyn ProgressStore,
        partitions: &[TopicPartition],
        stored: &[Option<i64>],
    ) {
        let unknown = without_progress(partitions, stored);
        if unknown.is_empty() {
            return;
        }
        let mut asked = self.asked.lock().await;
        let topics: Vec<Arc<str>> = unknown
            .into_iter()
            .filter(|topic| !asked.contains(&(sink.clone(), topic.clone())))
            .collect();
        if topics.is_empty() {
            return;
        }
        match store.of_other_names(&topics).await {
            Ok(others) => self.warn(connector, sink, others),
            // Only a hint is lost: calls that must succeed report what is wrong with the sink.
            Err(failure) => {
                tracing::debug!(event = "other_names_unknown", connector, %failure);
                return;
            }
        }
        asked.extend(topics.into_iter().map(|topic| (sink.clone(), topic)));
    }

    fn warn(&self, connector: &str, sink: &str, others: Vec<OtherProgress>) {
        let (sinks, connectors): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|other| &*other.connector == connector);
        let mut connectors = by_name(&connectors, |other| &other.connector);
        connectors.retain(|name, _| !self.loaded.contains(*name));
        if let Some(found) = Found::of(&connectors) {
            let Found { first, names, .. } = &found;
            tracing::warn!(
                event = "progress_under_another_name",
                connector,
                other = found.others,
                progress = found.progress,
                "this connector starts without progress, but {names}, which has no file here, has progress in its topics. \
                 Was it renamed? To continue from there, name it `{first}` again; or stop it and type: \
                 connect offsets {connector} set --from {first}. If it was not: connect offsets {connector} forget {first}"
            );
        }
        let mut sinks = by_name(&sinks, |other| &other.sink);
        sinks.retain(|name, _| !self.sinks.contains(*name));
        if let Some(found) = Found::of(&sinks) {
            let Found { first, names, .. } = &found;
            tracing::warn!(
                event = "progress_under_another_sink",
                connector,
                sink,
                other = found.others,
                progress = found.progress,
                "the sink `{sink}` starts as its `start` says, but {names}, which is not in the file, has \
                 progress in these topics. Was the sink renamed? To continue from there, name it `{first}` again"
            );
        }
    }
}

/// Other names with progress, in words: one line for all of them.
struct Found {
    first: String,
    /// With commas.
    others: String,
    /// With backticks.
    names: String,
    /// The positions of the one name, or the positions of each name.
    progress: String,
}

impl Found {
    fn of(progress: &BTreeMap<&str, String>) -> Option<Found> {
        const SHOWN: usize = 10;
        let (first, places) = progress.first_key_value()?;
        let list = |separator: &str, word: &dyn Fn(&str, &str) -> String| {
            let shown = progress.iter().take(SHOWN);
            let mut words: Vec<String> = shown.map(|(name, places)| word(name, places)).collect();
            let more = progress.len().saturating_sub(SHOWN);
            if more > 0 {
                words.push(format!("and {more} more"));
            }
            words.join(separator)
        };
        Some(Found {
            first: (*first).to_owned(),
            others: list(", ", &|name, _| name.to_owned()),
            names: list(", ", &|name, _| format!("`{name}`")),
            progress: if progress.len() == 1 {
                places.clone()
            } else {
                list("; ", &|name, places| format!("{name}: {places}"))
            },
        })
    }
}

/// Topics in which the sink has progress of none of these partitions.
fn without_progress(partitions: &[TopicPartition], stored: &[Option<i64>]) -> HashSet<Arc<str>> {
    let topics = |is_stored: bool| {
        let found = partitions.iter().zip(stored);
        found
            .filter(move |(_, next)| next.is_some() == is_stored)
            .map(|(partition, _)| partition.topic.clone())
            .collect::<HashSet<_>>()
    };
    let known = topics(true);
    let mut unknown = topics(false);
    unknown.retain(|topic| !known.contains(topic));
    unknown
}

/// The positions of each name: `PointOfSale partition 0 at 500, …`.
fn by_name(
    others: &[OtherProgress],
    name: impl Fn(&OtherProgress) -> &Arc<str>,
) -> BTreeMap<&str, String> {
    const SHOWN: usize = 10;
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for other in others {
        let place = format!("{} at {}", other.partition, other.next);
        places.entry(name(other)).or_default().push(place);
    }
    let shortened = places.into_iter().map(|(name, mut places)| {
        let more = places.len().saturating_sub(SHOWN);
        if more > 0 {
            places.truncate(SHOWN);
            places.push(format!("and {more} more"));
        }
        (name, places.join(", "))
    });
    shortened.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition {
            topic: topic.into(),
            partition,
        }
    }

    #[test]
    fn only_topics_without_any_progress_are_asked_about() {
        let check = |known: &[(&str, Option<i64>)], expected: &[&str]| {
            let partitions: Vec<_> = known.iter().map(|(topic, _)| partition(topic, 0)).collect();
            let stored: Vec<_> = known.iter().map(|(_, next)| *next).collect();
            let expected = expected.iter().map(|topic| Arc::from(*topic)).collect();
            assert_eq!(
                without_progress(&partitions, &stored),
                expected,
                "{known:?}"
            );
        };
        check(&[], &[]);
        check(&[("t", None)], &["t"]);
        check(&[("t", Some(0))], &[]);
        check(&[("t", None), ("t", Some(7))], &[]);
        check(&[("t", None), ("u", Some(7))], &["t"]);
    }

    #[test]
    fn other_names_are_one_line() {
        let found = |names: &[&'static str]| {
            let progress = names.iter().map(|&name| (name, format!("sales at {name}")));
            Found::of(&progress.collect())
        };
        assert!(found(&[]).is_none());
        let one = found(&["a"]).expect("there is one");
        assert_eq!((&*one.names, &*one.progress), ("`a`", "sales at a"));
        let two = found(&["b", "a"]).expect("there are two");
        assert_eq!(
            (&*two.first, &*two.others, &*two.names),
            ("a", "a, b", "`a`, `b`")
        );
        assert_eq!(two.progress, "a: sales at a; b: sales at b");
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let many = found(&letters).expect("there are twelve");
        assert!(many.names.ends_with("`j`, and 2 more"), "{}", many.names);
    }

    #[test]
    fn how_far_another_name_is() {
        let other = |connector: &str, number, next| OtherProgress {
            connector: connector.into(),
            sink: "postgres".into(),
            partition: partition("sales", number),
            next,
        };
        let mut others = vec![other("b", 0, 7), other("a", 0, 500), other("a", 1, 480)];
        let told = by_name(&others, |other| &other.connector);
        let told: Vec<_> = told.iter().map(|(name, text)| (*name, &**text)).collect();
        let expected = [
            ("a", "sales partition 0 at 500, sales partition 1 at 480"),
            ("b", "sales partition 0 at 7"),
        ];
        assert_eq!(told, expected);
        others.extend((2..40).map(|number| other("a", number, 1)));
        let told = by_name(&others, |other| &other.connector);
        let long = told.get("a").map(String::as_str).unwrap_or_default();
        assert!(
            long.ends_with("sales partition 9 at 1, and 30 more"),
            "{long}"
        );
    }
}
