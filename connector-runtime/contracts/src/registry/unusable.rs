//! Ids whose messages cannot be read, and the rate limit of requests for them.
//!
//! A producer chooses the id: random bytes after a zero byte name up to two billion different ones. They must cause neither one
//! request each nor unbounded memory.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A registry's ids are signed. A larger id is unknown without a request, which the registry could not parse.
pub(crate) const LARGEST_ID: u32 = i32::MAX as u32;

/// How long an unusable id is refused without another request: it, or what it refers to, may be registered meanwhile.
const UNUSABLE_FOR: Duration = Duration::from_secs(60);
/// Requests that may end in an unusable id at once.
const BURST: u32 = 200;
/// After the burst, one request per interval: 100/s. The message of a known id that follows them waits as long.
const INTERVAL: Duration = Duration::from_millis(10);
/// More than are learned within [`UNUSABLE_FOR`] at that rate, so that only expired ids are dropped.
const MOST_UNUSABLE: usize = 10_000;

/// Why the messages of an id cannot be read. The producer chose the id, so the message is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// One line that names the schema.
    pub(crate) message: String,
    /// The name of the schema, if the registry has it.
    pub(crate) schema: Option<String>,
}

impl Unusable {
    /// For an id without a schema.
    pub(crate) fn without_schema(message: String) -> Unusable {
        Unusable {
            message,
            schema: None,
        }
    }
}

/// The ids that turned out to be unusable within the last minute.
#[derive(Default)]
pub(crate) struct UnusableIds(Mutex<State>);

#[derive(Default)]
struct State {
    by_id: HashMap<u32, (Instant, Unusable)>,
    /// When the requests for unusable ids would have ended at a rate of one per [`INTERVAL`].
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

    /// How long to wait before the next request.
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
