//! What becomes of rejected records: their dead letters go together, each is delivered and counted once, and a letter that
//! cannot be stored stops the connector.

use connect_api::Outgoing;
use connect_kafka::DeliveryOutcome;

use super::*;
use crate::records::dead_letter::LetterProducer;

/// Partition and offset of a record.
pub(super) type Place = (i32, i64);

/// A dead letter topic that goes wrong as scripted.
#[derive(Clone, Default)]
pub(super) struct LetterTopic {
    /// The letters of each delivery that was asked for, by their origin.
    deliveries: Arc<Mutex<Vec<Vec<Place>>>>,
    stored: Arc<Mutex<Vec<Place>>>,
    lanes: Arc<Mutex<Vec<String>>>,
    /// So many first deliveries are not answered at all.
    outages: usize,
    /// The first delivery takes every other letter.
    takes_half_at_first: bool,
    /// The topic never takes these, for this reason.
    never: Vec<Place>,
    code: &'static str,
}

impl LetterTopic {
    /// The lane that each stored letter names; empty where it names none.
    pub(super) fn sinks(&self) -> Vec<String> {
        self.lanes.lock().unwrap().clone()
    }
}

fn lane_of(letter: &Outgoing) -> String {
    let mut headers = letter.headers.iter();
    let header = headers.find(|header| header.name == "__connect.errors.sink");
    let value = header
        .and_then(|header| header.value.clone())
        .unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}

fn origin_of(letter: &Outgoing) -> Place {
    let number = |name: &str| {
        let name = format!("__connect.errors.{name}");
        let mut headers = letter.headers.iter();
        let header = headers.find(|header| header.name == name).unwrap();
        let value = header.value.clone().unwrap();
        std::str::from_utf8(&value).unwrap().parse::<i64>().unwrap()
    };
    (
        i32::try_from(number("partition")).unwrap(),
        number("offset"),
    )
}

#[async_trait]
impl LetterProducer for LetterTopic {
    async fn deliver(&mut self, messages: Vec<Outgoing>) -> Result<Vec<DeliveryOutcome>> {
        let places: Vec<Place> = messages.iter().map(origin_of).collect();
        let turn = {
            let mut deliveries = self.deliveries.lock().unwrap();
            deliveries.push(places.clone());
            deliveries.len()
        };
        if turn <= self.outages {
            return Err(Failure::Retry(Cause::new("no broker")));
        }
        self.lanes
            .lock()
            .unwrap()
            .extend(messages.iter().map(lane_of));
        let mut stored = self.stored.lock().unwrap();
        let outcome = |(index, place): (usize, &Place)| {
            if self.never.contains(place) {
                let cause = Cause::new("the topic says no").with_code(self.code);
                return DeliveryOutcome::Refused(cause);
            }
            if self.takes_half_at_first && turn == 1 && index % 2 == 1 {
                return DeliveryOutcome::Failed(Cause::new("not enough replicas"));
            }
            stored.push(*place);
            DeliveryOutcome::Delivered {
                partition: 0,
                offset: 0,
            }
        };
        Ok(places.iter().enumerate().map(outcome).collect())
    }
}

/// What became of a run with a dead letter topic.
pub(super) struct Lettered {
    pub(super) ran: Ran,
    pub(super) deliveries: Vec<Vec<Place>>,
    pub(super) stored: Vec<Place>,
}

pub(super) async fn run_lettered(case: Case, topic: LetterTopic) -> Lettered {
    let ran = run_with(case, Some(topic.clone())).await;
    Lettered {
        ran,
        deliveries: topic.deliveries.lock().unwrap().clone(),
        stored: topic.stored.lock().unwrap().clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_together_and_each_is_delivered_once() {
    // (what, bad by the sink, rejected before, the topic, letters of each delivery)
    let cases = [
        (
            "all refused",
            EVERY.to_vec(),
            vec![],
            LetterTopic::default(),
            vec![10],
        ),
        (
            "all rejected",
            vec![],
            EVERY.to_vec(),
            LetterTopic::default(),
            vec![10],
        ),
        (
            "both",
            vec![(0, 0), (1, 4), (0, 2)],
            vec![(0, 1), (1, 1)],
            LetterTopic::default(),
            vec![2, 3],
        ),
        (
            "an outage of the topic",
            vec![(0, 0), (1, 4)],
            vec![],
            LetterTopic {
                outages: 2,
                ..LetterTopic::default()
            },
            vec![2, 2, 2],
        ),
        (
            "half of the letters at first",
            EVERY.to_vec(),
            vec![],
            LetterTopic {
                takes_half_at_first: true,
                ..LetterTopic::default()
            },
            vec![10, 5],
        ),
    ];
    for (what, bad, rejected, topic, letters) in cases {
        let mut expected = [bad.clone(), rejected.clone()].concat();
        expected.sort_unstable();
        let case = Case {
            bad: bad.clone(),
            rejected: rejected.clone(),
            ..Case::default()
        };
        let Lettered {
            ran,
            deliveries,
            mut stored,
        } = run_lettered(case, topic).await;
        assert!(matches!(ran.end, TaskEnd::Stopped), "{what}: {:?}", ran.end);
        stored.sort_unstable();
        assert_eq!(stored, expected, "{what}: each letter once");
        let sizes: Vec<usize> = deliveries.iter().map(Vec::len).collect();
        assert_eq!(sizes, letters, "{what}: letters of each delivery");
        assert_eq!(ran.rows, all_but(&expected), "{what}");
        assert_eq!(ran.reported, BTreeMap::from([(0, 5), (1, 5)]), "{what}");
        assert_eq!(ran.counters.dead_lettered, expected.len() as u64, "{what}");
        assert_eq!(ran.counters.filtered, 0, "{what}");
        assert_eq!(accounted(ran.counters), 10, "{what}");
    }
}

/// A letter that its topic never takes ends the connector: it is neither retried for ever nor lost.
#[tokio::test(start_paused = true)]
async fn a_letter_that_its_topic_refuses_stops_the_connector_and_nothing_passes_it() {
    // (code, how often the letter is tried: without what was refused, where that may help)
    for (code, tries) in [
        ("InvalidRecord", 1),
        ("MessageSizeTooLarge", 2),
        ("InvalidTimestamp", 2),
    ] {
        for (bad, rejected) in [(vec![(1, 2)], vec![]), (vec![], vec![(1, 2)])] {
            let topic = LetterTopic {
                never: vec![(1, 2)],
                code,
                ..LetterTopic::default()
            };
            let case = Case {
                bad,
                rejected,
                ..Case::default()
            };
            let Lettered {
                ran,
                deliveries,
                stored,
            } = run_lettered(case, topic).await;
            let TaskEnd::Unready(cause) = &ran.end else {
                panic!("{code}: {:?}", ran.end)
            };
            let text = cause.to_string();
            for part in [
                "dlq",
                "sales partition 1 offset 2",
                code,
                "the topic says no",
            ] {
                assert!(text.contains(part), "{part} is missing in {text}");
            }
            if code == "InvalidRecord" {
                assert!(text.contains("cleanup.policy=delete"), "{text}");
            }
            assert_eq!(deliveries.len(), tries, "{code}");
            assert!(stored.is_empty(), "{code}");
            assert!(ran.reported.is_empty(), "{code}: {:?}", ran.reported);
            assert_eq!(ran.counters.dead_lettered, 0, "{code}");
            assert_eq!(ran.counters.given_back, 10, "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn letters_that_are_delivered_are_counted_even_if_others_are_refused() {
    let topic = LetterTopic {
        never: vec![(1, 2)],
        code: "InvalidRecord",
        ..LetterTopic::default()
    };
    let case = Case {
        bad: vec![(0, 0), (1, 2), (0, 4)],
        ..Case::default()
    };
    let Lettered { ran, stored, .. } = run_lettered(case, topic).await;
    assert!(matches!(ran.end, TaskEnd::Unready(_)), "{:?}", ran.end);
    assert_eq!(stored, [(0, 0), (0, 4)]);
    assert_eq!(ran.counters.dead_lettered, 2);
    assert_eq!(ran.counters.given_back, 8);
    assert_eq!(accounted(ran.counters), 10);
}

/// A sink that names what is not there is broken: going on would pass a record that nobody wrote.
#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_a_record_outside_its_batch_is_an_assertion() {
    for says in [Says::NoRecord, Says::OutsideTheBatch] {
        let case = Case {
            bad: vec![(0, 0)],
            says,
            ..Case::default()
        };
        let ended = tokio::spawn(run(case)).await;
        assert!(ended.is_err_and(|error| error.is_panic()), "{says:?}");
    }
}
