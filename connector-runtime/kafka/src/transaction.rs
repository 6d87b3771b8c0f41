//! The transactional producer: commits messages and the positions behind them together, or neither.

use std::time::{Duration, Instant};

use connect_api::{Cause, Outgoing};
use parking_lot::Mutex;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use crate::assignment::GroupPosition;
use crate::blocking::{SharedClient, off_the_runtime};
use crate::consumer_context::list_of_positions;
use crate::delivery::{
    BatchDelivery, DeliveryContext, DeliveryOutcome, DeliveryReport, drain, trouble,
};
use crate::error::{cause, code_cause, is_rebalance};
use crate::event::GroupMetadata;
use crate::settings::ClientSettings;

/// After this time the broker aborts a transaction that did not end.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// The timeout for the messages of one transaction, which leaves time to end it before the broker does.
const DELIVER_WITHIN: Duration = Duration::from_secs(10);
/// The timeout of each call that ends a transaction.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// How long one call of an abort lasts before reports are polled.
const ABORT_SLICE: Duration = Duration::from_millis(100);

/// Why a transaction did not commit, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionError {
    /// Aborted. These messages, by index, will never be taken; send the rest.
    Refused(Vec<(usize, Cause)>),
    /// Aborted. Some message is refused, and it is not known which: send fewer at once. Never for a single message.
    RefusedSomewhere(Cause),
    /// Aborted. The group moved on: these positions are no longer the caller's to commit.
    Superseded(Cause),
    /// Aborted. Send it again with this producer.
    Abortable(Cause),
    /// Nothing was begun. Ask this producer again.
    Retry(Cause),
    /// It may have committed or not. Drop this producer, open a new one, read the committed offsets, start there.
    Unclear(Cause),
    /// Another producer has taken this transactional id. Nothing was committed; this producer is unusable.
    Fenced(Cause),
    /// Not allowed, or a broken configuration. This producer is unusable.
    Fatal(Cause),
}

impl TransactionError {
    /// The cause; of several refusals the first.
    pub fn cause(&self) -> Cause {
        match self {
            TransactionError::Refused(refused) => match refused.first() {
                Some((_, cause)) => cause.clone(),
                None => Cause::new("refused"),
            },
            TransactionError::RefusedSomewhere(cause)
            | TransactionError::Superseded(cause)
            | TransactionError::Abortable(cause)
            | TransactionError::Retry(cause)
            | TransactionError::Unclear(cause)
            | TransactionError::Fenced(cause)
            | TransactionError::Fatal(cause) => cause.clone(),
        }
    }

    /// Whether this producer is unusable.
    pub fn needs_new_producer(&self) -> bool {
        matches!(
            self,
            TransactionError::Unclear(_) | TransactionError::Fenced(_) | TransactionError::Fatal(_)
        )
    }
}

/// Positions for a transaction, and the group member that commits them.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    pub positions: Vec<GroupPosition>,
    pub group: GroupMetadata,
}

/// A producer with a transactional id. Opening it fences a producer that had the id before, and aborts its transaction.
pub struct TransactionalProducer {
    inner: SharedClient<Inner>,
}

struct Inner {
    client: BaseProducer<DeliveryContext>,
    /// Serializes transactions, even if a future was dropped before its transaction ended.
    turn: Mutex<()>,
}

impl TransactionalProducer {
    /// Creates the client and registers its id. Waits for the cluster until the timeout.
    pub async fn open(
        settings: &ClientSettings,
        transactional_id: &str,
        timeout: Duration,
    ) -> Result<TransactionalProducer, TransactionError> {
        let mut config = settings.producer(transactional_id);
        config
            .set("transactional.id", transactional_id)
            .set(
                "transaction.timeout.ms",
                TRANSACTION_TIMEOUT.as_millis().to_string(),
            )
            .set("message.timeout.ms", DELIVER_WITHIN.as_millis().to_string());
        let opened = off_the_runtime(move || {
            let client: BaseProducer<DeliveryContext> = config
                .create_with_context(DeliveryContext::default())
                .map_err(|error| TransactionError::Fatal(cause("making the producer", &error)))?;
            let deadline = Instant::now() + timeout;
            let doing = "registering the transactional id";
            retried(&client, deadline, |left| client.init_transactions(left)).map_err(|error| {
                match judge(doing, &error) {
                    Judgement::Fenced(cause) => TransactionError::Fenced(cause),
                    Judgement::Fatal(cause) if forbids(&error) => TransactionError::Fatal(cause),
                    other => {
                        // Errors of the client's connections are queued until a poll.
                        client.poll(Duration::from_millis(10));
                        let heard = client.context().trouble.last();
                        TransactionError::Retry(heard.unwrap_or_else(|| other.cause()))
                    }
                }
            })?;
            Ok(Inner {
                client,
                turn: Mutex::new(()),
            })
        })
        .await
        .map_err(TransactionError::Fatal)?;
        Ok(TransactionalProducer {
            inner: SharedClient::new(opened?),
        })
    }

    /// Commits all messages, and the positions if the group permits it, in one transaction.
    pub async fn run(
        &mut self,
        messages: Vec<Outgoing>,
        commit: Option<GroupCommit>,
    ) -> Result<(), TransactionError> {
        self.inner
            .call(move |inner| inner.run(messages, commit))
            .await
            .map_err(TransactionError::Unclear)?
    }

    /// Closes the client off the runtime. The broker or the id's next owner aborts an open transaction. `false`: that took
    /// longer than the deadline.
    pub fn close(self, deadline: Duration) -> bool {
        self.inner.close(deadline)
    }
}

impl Inner {
    fn run(
        &self,
        messages: Vec<Outgoing>,
        commit: Option<GroupCommit>,
    ) -> Result<(), TransactionError> {
        let _turn = self.turn.lock();
        let begun = Instant::now();
        if let Err(error) = self.client.begin_transaction() {
            return Err(match judge("beginning a transaction", &error) {
                Judgement::Abort(_) => self.abort(TransactionError::Abortable, &error),
                Judgement::Again(cause) => TransactionError::Retry(cause),
                other => other.over(),
            });
        }
        self.deliver(messages, begun + DELIVER_WITHIN)?;
        if let Some(commit) = commit {
            self.send_offsets(&commit)?;
        }
        self.commit()
    }

    fn deliver(&self, messages: Vec<Outgoing>, deadline: Instant) -> Result<(), TransactionError> {
        let mut delivery = BatchDelivery::begin(&self.client, messages);
        let Some(reports) = delivery.drive(&self.client, deadline) else {
            let cause = trouble(&self.client, DELIVER_WITHIN);
            return Err(self.abort_because(TransactionError::Abortable(cause)));
        };
        match verdict(&delivery.into_messages(), &reports) {
            Some(error) => Err(self.abort_because(error)),
            None => Ok(()),
        }
    }

    fn send_offsets(&self, commit: &GroupCommit) -> Result<(), TransactionError> {
        let doing = "adding offsets to the transaction";
        let list = match list_of_positions(&commit.positions) {
            Ok(list) => list,
            Err(error) => {
                let fatal = TransactionError::Fatal(cause(doing, &error));
                return Err(self.abort_because(fatal));
            }
        };
        let deadline = Instant::now() + CALL_WITHIN;
        let sent = retried(&self.client, deadline, |left| {
            self.client
                .send_offsets_to_transaction(&list, commit.group.native(), left)
        });
        let Err(error) = sent else { return Ok(()) };
        Err(match judge(doing, &error) {
            _ if error.rdkafka_error_code().is_some_and(is_rebalance) => {
                self.abort(TransactionError::Superseded, &error)
            }
            Judgement::Abort(_) | Judgement::Again(_) => {
                self.abort(TransactionError::Abortable, &error)
            }
            other => other.over(),
        })
    }

    /// A commit without an answer may have happened: only the same call again can tell.
    fn commit(&self) -> Result<(), TransactionError> {
        let deadline = Instant::now() + CALL_WITHIN;
        drain(&self.client, deadline);
        let committed = retried(&self.client, deadline, |left| {
            self.client.commit_transaction(left)
        });
        let Err(error) = committed else { return Ok(()) };
        Err(match judge("committing the transaction", &error) {
            Judgement::Abort(_) => self.abort(TransactionError::Abortable, &error),
            Judgement::Again(cause) => TransactionError::Unclear(cause),
            other => other.over(),
        })
    }

    fn abort(
        &self,
        kind: impl FnOnce(Cause) -> TransactionError,
        error: &KafkaError,
    ) -> TransactionError {
        self.abort_because(kind(cause("in the transaction", error)))
    }

    /// Aborts, and returns why; or, if the abort itself fails, that this producer is unusable. After an abort without an answer
    /// nothing commits, but the producer cannot be used any more.
    ///
    /// librdkafka purges what is queued and then waits for reports that only a poll removes. So it is called in slices, with
    /// polls between. (An explicit purge before would leave gaps in the sequence numbers.)
    fn abort_because(&self, why: TransactionError) -> TransactionError {
        let deadline = Instant::now() + CALL_WITHIN;
        match retried(&self.client, deadline, |left| {
            self.client.abort_transaction(left.min(ABORT_SLICE))
        }) {
            Ok(()) => why,
            Err(error) => judge("aborting the transaction", &error).over(),
        }
    }
}

/// The error that the reports mean for the transaction. `None`: every message was delivered.
fn verdict(messages: &[Outgoing], reports: &[DeliveryReport]) -> Option<TransactionError> {
    let mut refused = Vec::new();
    let mut doubtful = None;
    let mut doubts = 0;
    let mut failed = None;
    for (index, (message, report)) in messages.iter().zip(reports).enumerate() {
        if report.may_be_anothers_fault() {
            doubts += 1;
        }
        match report.outcome(&message.topic) {
            DeliveryOutcome::Delivered { .. } => {}
            DeliveryOutcome::Refused(cause) => {
                if report.may_be_anothers_fault() {
                    doubtful.get_or_insert(cause.clone());
                }
                refused.push((index, cause));
            }
            DeliveryOutcome::Failed(cause) => {
                failed.get_or_insert(cause);
            }
        }
    }
    match (doubtful, refused.is_empty(), failed) {
        (Some(cause), _, _) if doubts > 1 => Some(TransactionError::RefusedSomewhere(cause)),
        (_, false, _) => Some(TransactionError::Refused(refused)),
        (_, true, Some(cause)) => Some(TransactionError::Abortable(cause)),
        (_, true, None) => None,
    }
}

/// The kinds of errors of a transactional call.
enum Judgement {
    /// The transaction must be aborted.
    Abort(Cause),
    /// The same call may succeed.
    Again(Cause),
    Fenced(Cause),
    /// The result is unclear, or the client is broken.
    Unclear(Cause),
    /// Not allowed.
    Fatal(Cause),
}

impl Judgement {
    fn cause(self) -> Cause {
        match self {
            Judgement::Abort(cause)
            | Judgement::Again(cause)
            | Judgement::Fenced(cause)
            | Judgement::Unclear(cause)
            | Judgement::Fatal(cause) => cause,
        }
    }

    /// The error after which this producer is unusable.
    fn over(self) -> TransactionError {
        match self {
            Judgement::Fenced(cause) => TransactionError::Fenced(cause),
            Judgement::Fatal(cause) => TransactionError::Fatal(cause),
            Judgement::Abort(cause) | Judgement::Again(cause) | Judgement::Unclear(cause) => {
                TransactionError::Unclear(cause)
            }
        }
    }
}

fn judge(doing: &str, error: &KafkaError) -> Judgement {
    let KafkaError::Transaction(detail) = error else {
        return Judgement::Again(cause(doing, error));
    };
    let cause = code_cause(doing, detail.code(), Some(&detail.string()));
    if forbids(error) {
        Judgement::Fatal(cause)
    } else if is_fence(detail) {
        Judgement::Fenced(cause)
    } else if detail.txn_requires_abort() {
        Judgement::Abort(cause)
    } else if detail.is_retriable() {
        Judgement::Again(cause)
    } else {
        Judgement::Unclear(cause)
    }
}

fn is_fence(detail: &RDKafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    detail.is_fatal()
        && matches!(
            detail.code(),
            Code::Fenced
                | Code::ProducerFenced
                | Code::InvalidProducerEpoch
                | Code::TransactionCoordinatorFenced
        )
}

fn forbids(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::TransactionalIdAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::InvalidTransactionTimeout
        )
    )
}

/// Repeats a call as long as its error is retriable.
fn retried(
    client: &BaseProducer<DeliveryContext>,
    deadline: Instant,
    call: impl Fn(Duration) -> KafkaResult<()>,
) -> KafkaResult<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match call(left) {
            Err(KafkaError::Transaction(detail)) if detail.is_retriable() && !left.is_zero() => {
                // Serves log lines and reports. librdkafka backs off inside the call.
                client.poll(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}
