//! Progress beside the rows: which offset of each partition comes next, and who may move it.
//!
//! A partition's row has an *epoch* that every owner raises when it takes over. Each batch begins with a
//! compare-and-set of `next_offset` and the epoch of all its partitions, in order of topic and partition: a
//! predecessor that was frozen and thaws matches no row and stops before it writes, and a successor that raises the epoch
//! waits for a predecessor's COMMIT, because that holds the row. After a lost connection an owner raises the epoch once
//! more, but only where it is still its own; the `next_offset` it then reads tells whether the last COMMIT arrived.

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

/// The progress table, and what this task owns in it.
pub(crate) struct ProgressTable {
    table: TableName,
    statements: Statements,
    identity: [Arc<str>; 3],
    is_persistent: bool,
    owned: HashMap<TopicPartition, Owned>,
    frozen: Frozen,
    /// A statement failed in a way that a changed table would explain.
    is_doubted: bool,
}

/// What this owner last read or wrote.
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

    /// A statement about this identity's partitions.
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

    /// Whether the table is to be looked at before it is used again.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// Takes the partitions over, and tells where each goes on.
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

    /// After a new connection: waits for what the old one may still have under way, and reads how it ended.
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
        // What could not be raised belongs to somebody else; that matters only if a batch still has it.
        for (partition, owned) in &mut self.owned {
            match confirmed.get(partition) {
                Some(confirmed) => *owned = *confirmed,
                None => owned.is_lost = true,
            }
        }
        Ok(())
    }

    /// After the rows of these partitions were not to be had: looks who holds them, and ends sessions of this connector
    /// that are frozen in the middle of a COPY. Tells whether there were any. Not in a transaction.
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
                "a session of this connector held progress and waited for its client in the middle of a COPY for {} s: it was ended, and its batch is rolled back",
                frozen::PATIENCE.as_secs()
            );
        }
        self.frozen.seen(waiting, now);
        Ok(has_ended)
    }

    /// What this task owns.
    pub(crate) fn owned(&self) -> Vec<TopicPartition> {
        let mut partitions: Vec<_> = self.owned.keys().cloned().collect();
        partitions.sort();
        partitions
    }

    /// The partitions of a batch that this task was never asked to resume.
    pub(crate) fn not_owned(&self, progress: &[Progress]) -> Vec<TopicPartition> {
        progress
            .iter()
            .map(|moved| &moved.partition)
            .filter(|partition| !self.owned.contains_key(partition))
            .cloned()
            .collect()
    }

    /// Whether everything that the batch moves stands where the batch ends.
    pub(crate) fn is_stored(&self, progress: &[Progress]) -> bool {
        progress.iter().all(|moved| {
            let owned = self.owned.get(&moved.partition);
            owned.is_some_and(|owned| !owned.is_lost && owned.next == Some(moved.next))
        })
    }

    /// Refuses a batch that does not begin where this owner's progress stands.
    pub(crate) fn check_due(&self, progress: &[Progress]) -> Result<(), WriteError> {
        for moved in progress {
            let owned = self
                .owned
                .get(&moved.partition)
                .filter(|owned| !owned.is_lost)
                .ok_or_else(|| {
                    superseded(&format!("another task has taken {} over", moved.partition))
                })?;
            // Without stored progress, the engine's first position counts.
            if let Some(next) = owned.next.filter(|next| *next != moved.expected) {
                return Err(superseded(&format!(
                    "{} is at offset {next} in `{}`, and the batch begins at {}",
                    moved.partition, self.table, moved.expected
                )));
            }
        }
        Ok(())
    }

    /// The compare-and-set that a transaction begins with.
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
                "{touched} of {} partitions are as this task left them in `{}`: another task has taken over",
                progress.len(),
                self.table
            )))
        }
    }

    /// The batch's transaction is committed.
    pub(crate) fn moved(&mut self, progress: &[Progress]) {
        for moved in progress {
            let owned = self.owned.get_mut(&moved.partition);
            owned
                .expect("a batch that was committed moved only partitions that this task owns")
                .next = Some(moved.next);
        }
    }

    /// What is stored, without taking anything over.
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

    /// What is stored about these topics under exactly one other name, of the connector or of the sink, as far as nothing
    /// is stored about them under these two.
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

    /// Sets what is stored, and takes it away from whoever owns it.
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

    /// Deletes what is stored about these topics, whoever owns it.
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

/// A predecessor's COMMIT takes milliseconds, and whoever waits here holds up other partitions of its task: what lasts
/// longer is asked for again later.
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
