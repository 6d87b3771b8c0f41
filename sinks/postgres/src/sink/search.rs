//! Searches for the records of a batch that the server refuses: all of them are found within one `write`.
//!
//! A statement fails as a whole and does not identify its row. So the batch is written again in pieces, in the order of its
//! records, each under a savepoint. A piece that fails is undone and divided, down to one *source record*, whose rows are written
//! or rejected together. Successful pieces stay until the end, so that each record meets the rows of the records before it, as if
//! every piece were a transaction. (Earlier each was: 5,000 refused records took 10,000 commits.)
//!
//! The search is always rolled back, and begins with the compare-and-set of progress as a write does, so that a zombie rejects
//! nothing. Then the batch without the refused records is rehearsed: written as the engine will write it, and rolled back. If that
//! fails, the search was too coarse for the effects in the tables, and the engine halves the batch.

mod findings;
mod pieces;

use std::ops::Range;
use std::time::{Duration, Instant};

use connect_api::{Batch, Failure};
use sqlx::Executor;

use super::PostgresSink;
use super::write::End;
use crate::apply;
use crate::failure::WriteError;
use crate::order::{Cuts, Segment};
use crate::transaction::{SinkConnection, within};
use crate::unnest::Session;

use findings::{Failed, Search, SearchResult, parts, refused, sources_of};
use pieces::Pieces;

/// A search holds locks, and a stop waits for it: well below the grace period. The records found by then are removed, and the
/// search continues with the rest in the next write.
const LIMIT: Duration = Duration::from_secs(10);

/// Deferred constraints are checked after each piece, as by COMMIT. Afterwards all deferrable constraints are deferred again, even
/// those that are immediate by default: that rejects no record, and the rehearsal uses the defaults.
const BEGIN: &str = "SET CONSTRAINTS ALL DEFERRED; SAVEPOINT connect_piece";
const KEEP: &str = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; \
                    RELEASE SAVEPOINT connect_piece; SAVEPOINT connect_piece";
const UNDO: &str = "ROLLBACK TO SAVEPOINT connect_piece";

impl PostgresSink {
    /// Identifies the records at fault for a failed write, if any is; otherwise returns the error unchanged. `Err`: the search itself
    /// failed, for another reason.
    pub(super) async fn blame(
        &mut self,
        batch: &Batch<'_>,
        error: WriteError,
    ) -> Result<WriteError, WriteError> {
        let sources = sources_of(batch);
        let progress = &batch.progress;
        let is_searched = error.is_of_record()
            && sources.len() > 1
            && !self.patience.waits_for(&error, progress)
            && !self.patience.is_halved(progress);
        if !is_searched {
            return Ok(error);
        }
        let found = self.search(batch, &sources).await?;
        let is_cut_off = found.is_cut_off;
        let rehearsed = match found.waits {
            Some(waits) if found.refused.is_empty() => return Ok(waits),
            _ if found.refused.is_empty() => None,
            _ => Some(self.rehearse(batch, &sources, &found.written).await),
        };
        match rehearsed {
            Some(Ok(())) => Ok(refused(found.refused, &sources)),
            Some(Err(failed)) if !failed.is_of_record() && !failed.is_named() => Err(failed),
            _ => {
                if !is_cut_off {
                    self.patience.halve(progress);
                }
                Ok(error)
            }
        }
    }

    async fn search(
        &mut self,
        batch: &Batch<'_>,
        sources: &[Range<usize>],
    ) -> Result<SearchResult, WriteError> {
        self.plan
            .encode(&batch.records)
            .map_err(WriteError::Decided)?;
        let count = batch.records.len();
        let search = Search {
            batch,
            sources,
            needed: self.plan.segments(count, Cuts::Needed),
            all: self.plan.segments(count, Cuts::All),
            until: Instant::now() + LIMIT,
            failed: Vec::new(),
            reached: 0,
        };
        let mut connection = self.connected().await?;
        let mut result = self.search_on(&mut connection, search).await;
        if result.is_ok() {
            let rolled_back = self.limits.roll_back(&mut connection).await;
            result = rolled_back.and(result);
        }
        self.release(connection, &result).await;
        result
    }

    async fn search_on(
        &mut self,
        connection: &mut SinkConnection,
        mut search: Search<'_>,
    ) -> Result<SearchResult, WriteError> {
        self.begin(connection, &search.batch.progress).await?;
        self.run(connection, BEGIN).await?;
        self.try_in_order(connection, &mut search).await?;
        while self.try_again(connection, &mut search).await? {}
        self.check_plan(connection).await?;
        Ok(search.found())
    }

    /// Tries the whole batch, or as much of it as can be judged now.
    async fn try_in_order(
        &mut self,
        connection: &mut SinkConnection,
        search: &mut Search<'_>,
    ) -> Result<(), WriteError> {
        let mut pieces = Pieces::new(search.sources.len());
        while let Some(piece) = pieces.piece() {
            search.reached = piece.start;
            if search.is_over() {
                return Ok(());
            }
            let error = match self.try_piece(connection, search, &piece).await? {
                None => {
                    pieces.kept(&piece);
                    continue;
                }
                Some(error) => error,
            };
            if let WriteError::Decided(Failure::Refused(named)) = error {
                pieces.leave_out(search.named(named).into_iter());
                continue;
            }
            pieces.failed(&piece);
            if piece.len() == 1 {
                let failed = self.failed(search, piece.start, error);
                let is_end = failed.is_waited_for && !failed.may_come;
                search.failed.push(failed);
                if is_end {
                    return Ok(());
                }
            }
        }
        search.reached = search.sources.len();
        Ok(())
    }

    /// Tries again the records that failed for a missing row, which a later record may have written, and those that failed after
    /// them. Returns whether one succeeded this time.
    async fn try_again(
        &mut self,
        connection: &mut SinkConnection,
        search: &mut Search<'_>,
    ) -> Result<bool, WriteError> {
        let Some(first) = search.first_to_try_again() else {
            return Ok(false);
        };
        let (before, after): (Vec<_>, Vec<_>) = std::mem::take(&mut search.failed)
            .into_iter()
            .partition(|failed| failed.source < first);
        search.failed = before;
        let mut is_other = false;
        for earlier in after {
            let source = earlier.source;
            if search.is_over() {
                search.failed.push(earlier);
                continue;
            }
            match self
                .try_piece(connection, search, &(source..source + 1))
                .await?
            {
                None => is_other = true,
                Some(error) => {
                    let failed = self.failed(search, source, error);
                    search.failed.push(failed);
                }
            }
        }
        Ok(is_other)
    }

    fn failed(&self, search: &Search<'_>, source: usize, error: WriteError) -> Failed {
        Failed {
            source,
            is_waited_for: self.patience.waits_for(&error, &search.batch.progress),
            may_come: error.is_foreign_key() && self.plan.order.has_relations(),
            error,
        }
    }

    /// Writes a piece. An error for which some record is at fault is returned as a value, and the piece is undone.
    async fn try_piece(
        &mut self,
        connection: &mut SinkConnection,
        search: &Search<'_>,
        piece: &Range<usize>,
    ) -> Result<Option<WriteError>, WriteError> {
        let records = search.records_of(piece);
        let needed = parts(&search.needed, &records);
        let all = parts(&search.all, &records);
        let mut failed = self.write_piece(connection, &needed).await?;
        if failed.as_ref().is_some_and(WriteError::is_foreign_key) && all != needed {
            failed = self.write_piece(connection, &all).await?;
        }
        Ok(failed)
    }

    async fn write_piece(
        &mut self,
        connection: &mut SinkConnection,
        segments: &[Segment],
    ) -> Result<Option<WriteError>, WriteError> {
        let lengths: Vec<usize> = self
            .plan
            .targets
            .iter()
            .map(|target| target.rows.data.len())
            .collect();
        let mut session = Session {
            connection: &mut connection.driver,
            is_persistent: !self.config.pooler,
            scratch: &mut self.scratch,
        };
        let written = apply::write(&mut session, &mut self.plan, segments, self.limits.long).await;
        // Reduction appends rows of its own, which must not accumulate over pieces.
        for (target, length) in self.plan.targets.iter_mut().zip(lengths) {
            target.rows.data.truncate(length);
        }
        let kept = match written {
            Ok(_) => self.run(connection, KEEP).await,
            Err(error) => Err(error),
        };
        let Err(error) = kept else {
            return Ok(None);
        };
        if !error.is_of_record() && !error.is_named() {
            return Err(error);
        }
        self.run(connection, UNDO).await?;
        Ok(Some(error))
    }

    async fn run(
        &self,
        connection: &mut SinkConnection,
        statements: &str,
    ) -> Result<(), WriteError> {
        within("write a part of the batch", self.limits.long, async {
            connection.driver.execute(statements).await?;
            Ok(())
        })
        .await
    }

    /// Writes the records that the search did not reject, as the engine will, and rolls back.
    async fn rehearse(
        &mut self,
        batch: &Batch<'_>,
        sources: &[Range<usize>],
        written: &[usize],
    ) -> Result<(), WriteError> {
        let records = written.iter().flat_map(|source| {
            let records = sources.get(*source).cloned();
            let records = records.and_then(|records| batch.records.get(records));
            records.expect("only source records of the batch are written")
        });
        let rest = Batch::new(records.copied().collect(), batch.progress.clone());
        if rest.records.is_empty() {
            return Ok(());
        }
        self.encode_and_write(&rest, End::RollBack)
            .await
            .map(|_| ())
    }
}
