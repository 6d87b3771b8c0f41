//! Ids by which no message can be read, and how often the registry is asked for more of them.
//!
//! A producer chooses the id: random bytes behind a zero byte name up to two billion different ones. They must cost neither
//! the registry a request each nor this process memory without bound.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A registry's ids are signed. A larger one is unknown without asking: the registry cannot even read the question.
pub(crate) const LARGEST_ID: u32 = i32::MAX as u32;

/// How long an unusable id is refused without asking again: it, or what it refers to, may be registered meanwhile.
const UNUSABLE_FOR: Duration = Duration::from_secs(60);
/// Requests that may end in an unusable id at once.
const BURST: u32 = 200;
/// And after them one for each of these: 100 a second. A known id's message behind them waits that long.
const INTERVAL: Duration = Duration::from_millis(10);
/// More than are learned in [`UNUSABLE_FOR`] by that rate, so that what is dropped is expired.
const MOST_UNUSABLE: usize = 10_000;

/// Why no message can be read by an id. A producer chooses the id, so this is the message's own fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// One line that names the schema.
    pub(crate) message: String,
    /// The schema's name, where the registry has the schema.
    pub(crate) schema: Option<String>,
}

impl Unusable {
    /// Where there is no schema to name.
    pub(crate) fn without_schema(message: String) -> Unusable {
        Unusable {
            message,
            schema: None,
        }
    }
}

/// The ids that turned out to be unusable a short while ago.
#[derive(Default)]
pub(crate) struct UnusableIds(Mutex<State>);

#[derive(Default)]
struct State {
    by_id: HashMap<u32, (Instant, Unusable)>,
    /// When the requests that ended in an unusable id would be over, were they sent one per [`INTERVAL`].
    paid_until: Option<Instant>,
}

impl UnusableIds {
    pub(crate) fn get(&self, id: u32) -> Option<Unusable> {
        if id > LARGEST_ID {
            return Some(Unusable::without_schema(format!(
                "schema id {id} is unknown to the registry: the largest id that a registry gives is {LARGEST_ID}"
            )));
        }
        let state = self.0.lock();
        let (since, unusable) = state.by_id.get(&id)?;
        (since.elapsed() < UNUSABLE_FOR).then(|| unusable.clone())
    }

    pub(crate) fn add(&self, id: u32, unusable: Unusable, now: Instant) {
        let mut state = self.0.lock();
        let paid_until = state.paid_until.map_or(now, |until| until.max(now));
        state.paid_until = Some(paid_until + INTERVAL);
        if state.by_id.len() >= MOST_UNUSABLE {
            let is_fresh = |since: &Instant| now.saturating_duration_since(*since) < UNUSABLE_FOR;
            state.by_id.retain(|_, (since, _)| is_fresh(since));
        }
        if state.by_id.len() < MOST_UNUSABLE {
            state.by_id.insert(id, (now, unusable));
        }
    }

    /// How long to wait before the registry is asked for another id.
    pub(crate) fn delay(&self, now: Instant) -> Duration {
        let state = self.0.lock();
        let paid_until = state.paid_until.unwrap_or(now);
        paid_until
            .saturating_duration_since(now)
            .saturating_sub(BURST * INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_random_ids_is_asked_for_at_a_bounded_rate_and_remembered_within_bounds() {
        let ids = UnusableIds::default();
        let start = Instant::now();
        let mut now = start;
        let unknown = || Unusable::without_schema("unknown".to_owned());
        let minutes = 3;
        let mut asked = 0;
        while now < start + minutes * UNUSABLE_FOR {
            now += ids.delay(now);
            ids.add(asked, unknown(), now);
            asked += 1;
            assert!(ids.0.lock().by_id.len() <= MOST_UNUSABLE);
            assert!(
                ids.0.lock().by_id.contains_key(&(asked - 1)),
                "never full of what is fresh, or the same id would be asked for again for ever"
            );
        }
        assert_eq!(asked, BURST + 1 + minutes * 6_000);
        assert_eq!(ids.delay(now + BURST * INTERVAL), Duration::ZERO);
    }
}
