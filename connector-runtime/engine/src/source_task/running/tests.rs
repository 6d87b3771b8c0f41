//! The loop against a scripted source and a scripted broker, on a paused clock.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connect_api::{
    Cause, CheckContext, Finding, Guarantee, Positions, SourceContext, SourceFactory, SourceRecord,
    Value,
};
use connect_config::{ConfiguredSource, SourceConnector};
use connect_contracts::{Contracts, FormatConfig};
use tokio::sync::watch;

use super::*;
use crate::control::Stop;
use crate::status::{Counters, Meters};

/// What the next poll brings.
enum Poll {
    /// So many records, and the position after them.
    Records(u64, u64),
    Fails,
    /// Something outside happens, and the poll goes on.
    Do(Box<dyn FnOnce() + Send>),
    Finished,
}

/// After its script it has nothing more, for ever.
struct ScriptedSource {
    polls: VecDeque<Poll>,
    told: Arc<Mutex<Vec<u64>>>,
}

fn positions(next: u64) -> Positions {
    let mut positions = Positions::default();
    positions.insert_json("{}".to_owned(), next.to_string());
    positions
}

#[async_trait]
impl Source for ScriptedSource {
    async fn poll(&mut self) -> connect_api::Result<Polled> {
        loop {
            return match self.polls.pop_front() {
                Some(Poll::Records(count, next)) => Ok(Polled {
                    records: (0..count).map(|_| record()).collect(),
                    positions: positions(next),
                    finished: false,
                }),
                Some(Poll::Fails) => Err(Failure::Retry(Cause::new("the service is away"))),
                Some(Poll::Do(action)) => {
                    action();
                    // Whoever waits for it comes first.
                    tokio::task::yield_now().await;
                    continue;
                }
                Some(Poll::Finished) => Ok(Polled {
                    records: Vec::new(),
                    positions: Positions::default(),
                    finished: true,
                }),
                None => std::future::pending().await,
            };
        }
    }

    async fn commit(&mut self, positions: &Positions) -> connect_api::Result<()> {
        let (_, next) = positions.iter().next().unwrap();
        self.told.lock().unwrap().push(next.parse().unwrap());
        Ok(())
    }
}

fn record() -> SourceRecord {
    SourceRecord {
        key: None,
        value: Some(Value::string("v")),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// What the broker answers, in order; then it commits everything.
#[derive(Default)]
struct ScriptedBroker {
    errors: VecDeque<TransactionError>,
    /// Of each attempt: how many messages it held, positions included.
    attempts: Arc<Mutex<Vec<usize>>>,
    at_attempt: Option<Box<dyn FnMut() + Send>>,
}

impl Transactions for ScriptedBroker {
    async fn commit(&mut self, messages: Vec<Outgoing>) -> Result<(), TransactionError> {
        self.attempts.lock().unwrap().push(messages.len());
        if let Some(action) = &mut self.at_attempt {
            action();
        }
        self.errors.pop_front().map_or(Ok(()), Err)
    }
}

struct NoPlugin;

#[async_trait]
impl SourceFactory for NoPlugin {
    fn check(&self, _context: &CheckContext<'_>) -> Vec<Finding> {
        Vec::new()
    }

    async fn open(&self, _context: SourceContext) -> connect_api::Result<Box<dyn Source>> {
        panic!("the source is open already")
    }
}

struct Ran {
    end: Result<TaskEnd, Over>,
    attempts: Vec<usize>,
    /// Positions of which the source was told that Kafka has them.
    told: Vec<u64>,
    counters: Counters,
    took: Duration,
}

struct Scene {
    stop: Stop,
    owns: watch::Sender<bool>,
    broker: ScriptedBroker,
}

impl Scene {
    fn new(errors: Vec<TransactionError>) -> Scene {
        let broker = ScriptedBroker {
            errors: errors.into(),
            ..ScriptedBroker::default()
        };
        Scene {
            stop: Stop::default(),
            owns: watch::channel(true).0,
            broker,
        }
    }

    fn drain(&self) -> Box<dyn FnMut() + Send> {
        let stop = self.stop.clone();
        Box::new(move || stop.drain.cancel())
    }

    fn lose(&self) -> Box<dyn FnMut() + Send> {
        let owns = self.owns.clone();
        Box::new(move || {
            let _ = owns.send(false);
        })
    }

    async fn run(self, polls: Vec<Poll>) -> Ran {
        let connector = SourceConnector {
            topic: "sales".to_owned(),
            key: None,
            key_format: None,
            source: ConfiguredSource {
                kind: "scripted",
                factory: Arc::new(NoPlugin),
            },
            transforms: Vec::new(),
            value: FormatConfig::text(),
            errors: ErrorsConfig::default(),
            create_topics: None,
        };
        let connector = Arc::new(connector);
        let contracts = Contracts::new(None).unwrap();
        let mut maker = Maker::new(Arc::from("test"), connector.clone(), &contracts).unwrap();
        let guarantee = Guarantee::ExactlyOnce;
        let meters = Meters::new(Arc::from("test"), "source", "scripted", guarantee, 1);
        let told = Arc::default();
        let mut source = ScriptedSource {
            polls: polls.into(),
            told: Arc::clone(&told),
        };
        let attempts = self.broker.attempts.clone();
        let mut owner = Owner::for_tests(self.owns.subscribe());
        let began = Instant::now();
        let mut running = Running {
            errors: &connector.errors,
            waiting: Waiting {
                connector: Arc::from("test"),
                task: 0,
                lane: None,
                meters: meters.clone(),
                stop: self.stop.clone(),
            },
            backlog: None,
            owner: &mut owner,
            maker: &mut maker,
            rejects: Rejects::new(connector.errors.clone(), None),
            producer: self.broker,
        };
        let end = running.run(&mut source).await;
        Ran {
            end,
            attempts: attempts.lock().unwrap().clone(),
            told: told.lock().unwrap().clone(),
            counters: meters.status().counters,
            took: began.elapsed(),
        }
    }
}

fn away() -> TransactionError {
    TransactionError::Retry(Cause::new("no broker"))
}

#[tokio::test(start_paused = true)]
async fn records_and_positions_are_one_transaction_and_the_source_hears_of_it_afterwards() {
    // The first is committed at once, the next after an interval.
    let polls = vec![
        Poll::Records(2, 2),
        Poll::Records(1, 3),
        Poll::Records(1, 4),
        Poll::Finished,
    ];
    let ran = Scene::new(Vec::new()).run(polls).await;
    assert!(matches!(ran.end, Ok(TaskEnd::Finished)), "{:?}", ran.end);
    assert_eq!((ran.attempts, ran.told), (vec![3, 3], vec![2, 4]));
    assert_eq!((ran.counters.delivered, ran.counters.in_flight), (4, 0));
}

/// A crash between produce and commit, or a successor: only Kafka knows how far it came, so it is asked again.
#[tokio::test(start_paused = true)]
async fn an_unclear_or_superseded_transaction_is_read_again_from_kafka() {
    let errors = [
        TransactionError::Unclear(Cause::new("the connection broke at the commit")),
        TransactionError::Fenced(Cause::new("another process has the id")),
        TransactionError::Superseded(Cause::new("the group moved on")),
    ];
    for error in errors {
        let what = format!("{error:?}");
        let polls = vec![Poll::Records(2, 2)];
        let ran = Scene::new(vec![error]).run(polls).await;
        assert!(matches!(ran.end, Err(Over::Lost)), "{what}: {:?}", ran.end);
        assert_eq!((ran.attempts.len(), ran.told.len()), (1, 0), "{what}");
        assert_eq!(
            (ran.counters.delivered, ran.counters.in_flight),
            (0, 2),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_kafka_is_waited_out_with_the_same_transaction() {
    let polls = vec![Poll::Records(2, 2), Poll::Finished];
    let ran = Scene::new(vec![away(), away(), away()]).run(polls).await;
    assert!(matches!(ran.end, Ok(TaskEnd::Finished)), "{:?}", ran.end);
    assert_eq!((ran.attempts, ran.told), (vec![3; 4], vec![2]));
    assert_eq!(ran.counters.delivered, 2, "each once");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_is_tried_again_once_what_came_before_is_committed() {
    let polls = vec![
        Poll::Records(1, 1),
        Poll::Fails,
        Poll::Fails,
        Poll::Records(1, 2),
        Poll::Finished,
    ];
    let ran = Scene::new(Vec::new()).run(polls).await;
    assert!(matches!(ran.end, Ok(TaskEnd::Finished)), "{:?}", ran.end);
    assert_eq!((ran.attempts, ran.told), (vec![2, 2], vec![1, 2]));
    assert!(
        ran.took >= Duration::from_millis(50),
        "it backs off: {:?}",
        ran.took
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_seen_in_each_state() {
    let scene = || Scene::new(Vec::new());
    // While nothing comes.
    let idle = scene();
    let ran = {
        let stop = Poll::Do(Box::new(once(idle.drain())));
        idle.run(vec![stop]).await
    };
    assert!(
        matches!(ran.end, Ok(TaskEnd::Stopped)),
        "idle: {:?}",
        ran.end
    );
    assert!(ran.attempts.is_empty());
    // With records at hand: they are committed first.
    let pending = scene();
    let stop = Poll::Do(Box::new(once(pending.drain())));
    let ran = pending
        .run(vec![Poll::Records(2, 2), Poll::Records(1, 3), stop])
        .await;
    assert!(
        matches!(ran.end, Ok(TaskEnd::Stopped)),
        "pending: {:?}",
        ran.end
    );
    assert_eq!(ran.told, [2, 3]);
    // Between two attempts of a poll that fails.
    let failing = scene();
    let mut stop = failing.drain();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        stop();
    });
    let ran = failing.run(vec![Poll::Fails]).await;
    assert!(
        matches!(ran.end, Ok(TaskEnd::Stopped)),
        "back-off: {:?}",
        ran.end
    );
    // While Kafka is away: what is not committed is polled again at the next start.
    let mut publishing = Scene::new((0..100).map(|_| away()).collect());
    publishing.broker.at_attempt = Some(publishing.drain());
    let ran = publishing.run(vec![Poll::Records(2, 2)]).await;
    assert!(
        matches!(ran.end, Err(Over::End(TaskEnd::Stopped))),
        "{:?}",
        ran.end
    );
    assert_eq!((ran.attempts.len(), ran.told.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_source_stops_at_once_while_it_polls_and_while_it_waits_for_kafka() {
    let polling = Scene::new(Vec::new());
    let lose = Poll::Do(Box::new(once(polling.lose())));
    let ran = polling
        .run(vec![Poll::Records(2, 2), Poll::Records(1, 3), lose])
        .await;
    assert!(matches!(ran.end, Err(Over::Lost)), "{:?}", ran.end);
    assert_eq!(ran.told, [2], "what is pending is not committed any more");
    let mut waiting = Scene::new((0..100).map(|_| away()).collect());
    waiting.broker.at_attempt = Some(waiting.lose());
    let ran = waiting.run(vec![Poll::Records(2, 2)]).await;
    assert!(matches!(ran.end, Err(Over::Lost)), "{:?}", ran.end);
    assert_eq!(ran.attempts.len(), 1);
}

fn once(mut action: Box<dyn FnMut() + Send>) -> impl FnOnce() + Send {
    move || action()
}
