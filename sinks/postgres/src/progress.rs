//! The progress table: the next offset of each partition, and the epoch of its owner.
//!
//! Every owner raises the *epoch* of a partition when it takes over. Each batch begins with a compare-and-set of `next_offset` and
//! the epoch of all its partitions, in order of topic and partition. A frozen predecessor that resumes matches no row and stops
//! before it writes; a successor that raises the epoch waits for the predecessor's COMMIT, which holds the row lock. After a lost
//! connection an owner raises the epoch again, but only if it is still its own; the `next_offset` that it reads shows whether the
//! last COMMIT took effect.

mod create;
mod frozen;
mod shape;
mod statements;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use connect_api::{Cause, Failure, OtherProgress, Position, Progress, TopicPartition};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Executor, Row, query};

use crate::failure::WriteError;
use crate::identifier::TableName;

use frozen::Frozen;
use statements::Statements;

/// The progress table, and the partitions that this task owns in it.
pub(crate) struct ProgressTable {
    table: TableName,
    statements: Statements,
    identity: [Arc<str>; 3],
    is_persistent: bool,
    owned: HashMap<TopicPartition, Owned>,
    frozen: Frozen,
    /// A statement failed, possibly because the table has changed.
    is_doubted: bool,
}

/// The state of a partition as this owner last read or wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owned {
    epoch: i64,
    next: Option<i64>,
    /// Another task raised the epoch.
    is_lost: bool,
}

impl ProgressTable {
    /// `identity` is the Kafka cluster, the connector and the sink.
    pub(crate) fn new(
        table: TableName,
        identity: [Arc<str>; 3],
        is_persistent: bool,
    ) -> ProgressTable {
        ProgressTable {
            statements: Statements::new(&table.quoted()),
            table,
            identity,
            is_persistent,
            owned: HashMap::new(),
            frozen: Frozen::default(),
            is_doubted: false,
        }
    }

    /// A query about partitions of this identity.
    fn about<'a>(
        &'a self,
        statement: &'a str,
        partitions: impl Iterator<Item = &'a TopicPartition>,
    ) -> Query<'a, Postgres, PgArguments> {
        let (topics, numbers) = names(partitions);
        self.of_identity(statement).bind(topics).bind(numbers)
    }

    fn of_identity<'a>(&'a self, statement: &'a str) -> Query<'a, Postgres, PgArguments> {
        let [cluster, connector, sink] = &self.identity;
        query(statement)
            .bind(&**cluster)
            .bind(&**connector)
            .bind(&**sink)
    }

    pub(crate) fn table(&self) -> &TableName {
        &self.table
    }

    /// Whether the table must be verified before it is used again.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// Takes the partitions over, and returns the next offset of each.
    pub(crate) async fn take_over(
        &mut self,
        connection: &mut PgConnection,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<i64>>, WriteError> {
        wait_briefly(connection).await?;
        let rows = self
            .about(&self.statements.take_over, partitions.iter())
            .persistent(self.is_persistent)
            .fetch_all(connection)
            .await?;
        self.owned.extend(owned(&rows)?);
        Ok(partitions
            .iter()
            .map(|partition| self.owned.get(partition).and_then(|owned| owned.next))
            .collect())
    }

    /// On a new connection: waits for the old one's transaction to end, and reads its outcome.
    pub(crate) async fn confirm(
        &mut self,
        connection: &mut PgConnection,
    ) -> Result<(), WriteError> {
        if self.owned.is_empty() {
            return Ok(());
        }
        let partitions = self.owned();
        let epochs: Vec<i64> = partitions
            .iter()
            .filter_map(|partition| self.owned.get(partition).map(|owned| owned.epoch))
            .collect();
        wait_briefly(connection).await?;
        let rows = self
            .about(&self.statements.confirm, partitions.iter())
            .persistent(self.is_persistent)
            .bind(epochs)
            .fetch_all(connection)
            .await?;
        let confirmed = owned(&rows)?;
        // Where the epoch could not be raised, another owner took over; that matters only if a batch contains the partition.
        for (partition, owned) in &mut self.owned {
            match confirmed.get(partition) {
                Some(confirmed) => *owned = *confirmed,
                None => owned.is_lost = true,
            }
        }
        Ok(())
    }

    /// Finds the sessions of this connector that hold the rows of these partitions and are frozen in the middle of a COPY, and
    /// terminates them. Returns whether there were any. Must not run in a transaction.
    pub(crate) async fn end_frozen(
        &mut self,
        connection: &mut PgConnection,
        partitions: &[TopicPartition],
    ) -> Result<bool, WriteError> {
        let now = Instant::now();
        let rows = self
            .about(&self.statements.end_frozen, partitions.iter())
            .persistent(false)
            .bind(self.frozen.due(now))
            .fetch_all(connection)
            .await?;
        let mut waiting = Vec::new();
        let mut has_ended = false;
        for row in &rows {
            let session: String = row.try_get("session")?;
            if !row.try_get("is_ended")? {
                waiting.push(session);
                continue;
            }
            has_ended = true;
            let [_, connector, _] = &self.identity;
            tracing::warn!(
                event = "frozen_session_ended",
                %connector,
                session,
                "a session of this connector held progress and waited for its client in the middle of a COPY for {} s: it was terminated, and its batch is rolled back",
                frozen::PATIENCE.as_secs()
            );
        }
        self.frozen.seen(waiting, now);
        Ok(has_ended)
    }

    /// The partitions that this task owns.
    pub(crate) fn owned(&self) -> Vec<TopicPartition> {
        let mut partitions: Vec<_> = self.owned.keys().cloned().collect();
        partitions.sort();
        partitions
    }

    /// The partitions of a batch that this task has never resumed.
    pub(crate) fn not_owned(&self, progress: &[Progress]) -> Vec<TopicPartition> {
        progress
            .iter()
            .map(|moved| &moved.partition)
            .filter(|partition| !self.owned.contains_key(partition))
            .cloned()
            .collect()
    }

    /// Whether all partitions of the batch are at the end of the batch.
    pub(crate) fn is_stored(&self, progress: &[Progress]) -> bool {
        progress.iter().all(|moved| {
            let owned = self.owned.get(&moved.partition);
            owned.is_some_and(|owned| !owned.is_lost && owned.next == Some(moved.next))
        })
    }

    /// Refuses a batch that does not begin at this owner's progress.
    pub(crate) fn check_due(&self, progress: &[Progress]) -> Result<(), WriteError> {
        for moved in progress {
            let owned = self
                .owned
                .get(&moved.partition)
                .filter(|owned| !owned.is_lost)
                .ok_or_else(|| {
                    superseded(&format!("another task has taken over {}", moved.partition))
                })?;
            // Without stored progress, the engine's first position is accepted.
            if let Some(next) = owned.next.filter(|next| *next != moved.expected) {
                return Err(superseded(&format!(
                    "{} is at offset {next} in `{}`, and the batch begins at {}",
                    moved.partition, self.table, moved.expected
                )));
            }
        }
        Ok(())
    }

    /// The compare-and-set at the beginning of a transaction.
    pub(crate) async fn advance(
        &self,
        connection: &mut PgConnection,
        progress: &[Progress],
    ) -> Result<(), WriteError> {
        // A default here would compare with another owner's row.
        let owned: Vec<&Owned> = progress
            .iter()
            .map(|moved| self.owned.get(&moved.partition))
            .collect::<Option<_>>()
            .expect("a batch that is due moves only partitions that this task owns");
        let epochs: Vec<i64> = owned.iter().map(|owned| owned.epoch).collect();
        let expected: Vec<Option<i64>> = owned.iter().map(|owned| owned.next).collect();
        let next: Vec<i64> = progress.iter().map(|moved| moved.next).collect();
        let timestamps: Vec<Option<i64>> = progress
            .iter()
            .map(|moved| moved.last_timestamp_ms)
            .collect();
        let touched = self
            .about(
                &self.statements.advance,
                progress.iter().map(|moved| &moved.partition),
            )
            .persistent(self.is_persistent)
            .bind(epochs)
            .bind(expected)
            .bind(next)
            .bind(timestamps)
            .execute(connection)
            .await?
            .rows_affected();
        if touched == progress.len() as u64 {
            Ok(())
        } else {
            Err(superseded(&format!(
                "only {touched} of {} partitions in `{}` are as this task left them: another task has taken over",
                progress.len(),
                self.table
            )))
        }
    }

    /// Updates the state after the batch's COMMIT.
    pub(crate) fn moved(&mut self, progress: &[Progress]) {
        for moved in progress {
            let owned = self.owned.get_mut(&moved.partition);
            owned
                .expect("a batch that was committed moved only partitions that this task owns")
                .next = Some(moved.next);
        }
    }

    /// Reads the stored progress without taking over.
    pub(crate) async fn read(
        &self,
        connection: &mut PgConnection,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<i64>>, WriteError> {
        let rows = self
            .about(&self.statements.read, partitions.iter())
            .persistent(false)
            .fetch_all(connection)
            .await?;
        let stored = owned(&rows)?;
        Ok(partitions
            .iter()
            .map(|partition| stored.get(partition).and_then(|owned| owned.next))
            .collect())
    }

    /// The progress of these topics under another name of either the connector or the sink. Only topics without progress under
    /// this identity.
    pub(crate) async fn of_others(
        &self,
        connection: &mut PgConnection,
        topics: &[Arc<str>],
    ) -> Result<Vec<OtherProgress>, WriteError> {
        let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        let rows = self
            .of_identity(&self.statements.of_others)
            .persistent(false)
            .bind(topics)
            .fetch_all(connection)
            .await?;
        let others = rows.iter().map(|row| {
            Ok(OtherProgress {
                connector: row.try_get::<&str, _>("connector")?.into(),
                sink: row.try_get::<&str, _>("sink")?.into(),
                partition: partition_of(row)?,
                next: row.try_get("next_offset")?,
            })
        });
        Ok(others.collect::<Result<_, sqlx::Error>>()?)
    }

    /// Sets the stored progress, and takes over from the current owner.
    pub(crate) async fn store(
        &self,
        connection: &mut PgConnection,
        positions: &[Position],
    ) -> Result<(), WriteError> {
        let offsets: Vec<i64> = positions.iter().map(|position| position.next).collect();
        self.about(
            &self.statements.store,
            positions.iter().map(|position| &position.partition),
        )
        .persistent(false)
        .bind(offsets)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Deletes the progress of these topics, whichever task owns it.
    pub(crate) async fn erase(
        &self,
        connection: &mut PgConnection,
        topics: &[Arc<str>],
    ) -> Result<(), WriteError> {
        let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        self.of_identity(&self.statements.erase)
            .persistent(false)
            .bind(topics)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Limits the wait for locks. A predecessor's COMMIT takes milliseconds, and this wait delays other partitions of the task; if it
/// takes longer, the task asks again later.
async fn wait_briefly(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("SET LOCAL lock_timeout = 2000").await?;
    Ok(())
}

fn superseded(message: &str) -> WriteError {
    WriteError::Decided(Failure::Superseded(Cause::new(message)))
}

fn names<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> (Vec<&'a str>, Vec<i32>) {
    partitions
        .map(|partition| (&*partition.topic, partition.partition))
        .unzip()
}

fn owned(rows: &[PgRow]) -> Result<HashMap<TopicPartition, Owned>, sqlx::Error> {
    rows.iter()
        .map(|row| {
            let owned = Owned {
                epoch: row.try_get("epoch")?,
                next: row.try_get("next_offset")?,
                is_lost: false,
            };
            Ok((partition_of(row)?, owned))
        })
        .collect()
}

fn partition_of(row: &PgRow) -> Result<TopicPartition, sqlx::Error> {
    let topic: &str = row.try_get("topic")?;
    Ok(TopicPartition {
        topic: topic.into(),
        partition: row.try_get("partition")?,
    })
}
