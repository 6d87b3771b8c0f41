//! The transactional producer: records and the positions that they stand for, together or not at all.

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

/// After this the broker aborts a transaction that nobody ended.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// What the messages of one transaction may take, so that there is time to end it before the broker does.
const DELIVER_WITHIN: Duration = Duration::from_secs(10);
/// What each call that ends a transaction may take.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// How long an abort waits before reports are taken away.
const ABORT_SLICE: Duration = Duration::from_millis(100);

/// Why a transaction did not commit, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionError {
    /// Aborted. These messages, by index, will never be taken; send the rest.
    Refused(Vec<(usize, Cause)>),
    /// Aborted. Some message is refused, and nobody knows which: send fewer at once. Never of a single message.
    RefusedSomewhere(Cause),
    /// Aborted. The group moved on: these positions are no longer the caller's to commit.
    Superseded(Cause),
    /// Aborted. Send it again with this producer.
    Abortable(Cause),
    /// Nothing was begun. Ask this producer again.
    Retry(Cause),
    /// It may have committed or not. Drop this producer, open a new one, read the committed offsets, begin there.
    Unclear(Cause),
    /// Somebody else took this transactional id. Nothing was committed; this producer is over.
    Fenced(Cause),
    /// Not allowed, or a broken configuration. This producer is over.
    Fatal(Cause),
}

impl TransactionError {
    /// What happened; of several refusals the first.
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

    /// Whether this producer is over.
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

/// A producer with a transactional id. Opening it fences and aborts whoever had the id before.
pub struct TransactionalProducer {
    inner: SharedClient<Inner>,
}

struct Inner {
    client: BaseProducer<DeliveryContext>,
    /// One transaction at a time, also if a future was dropped before its transaction ended.
    turn: Mutex<()>,
}

impl TransactionalProducer {
    /// Makes the client and registers its id, which waits for the cluster for no longer than the timeout.
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
                        // What the client said about its connections waits for a poll.
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

    /// All messages, and the positions with the group's consent, in one transaction.
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

    /// Ends the client off the runtime; an open transaction is aborted by the broker or by the id's next owner. False if
    /// that took longer than the deadline.
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

    /// A commit that was asked for and not answered may have happened: only the same call again can tell.
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

    /// Aborts and says why; if the abort itself fails, that this producer is over. An abort that was not answered is no
    /// doubt about the outcome (nothing commits), but the producer is of no use any more.
    ///
    /// librdkafka purges what is queued and then waits for reports that only a poll takes away: so it is asked in
    /// slices, with polls between. (Purging before, by hand, would leave gaps in the sequence numbers.)
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

/// What the reports mean for the transaction; `None` if every message was delivered.
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

/// What librdkafka says about an error of a transactional call.
enum Judgement {
    /// The transaction must be aborted.
    Abort(Cause),
    /// The same call may succeed.
    Again(Cause),
    Fenced(Cause),
    /// Not clear what happened, or the client is broken.
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

    /// This producer is over.
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

/// Repeats a call for as long as librdkafka says that repeating it may help.
fn retried(
    client: &BaseProducer<DeliveryContext>,
    deadline: Instant,
    call: impl Fn(Duration) -> KafkaResult<()>,
) -> KafkaResult<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match call(left) {
            Err(KafkaError::Transaction(detail)) if detail.is_retriable() && !left.is_zero() => {
                // Serves log lines and reports; librdkafka has its own back-off inside the call.
                client.poll(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}
