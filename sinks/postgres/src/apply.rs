//! Writes an encoded batch: reduces its keys, orders the tables, and runs one statement for each group of rows.

use std::time::Duration;

use connect_api::{Cause, RejectedRecord};

use crate::copy;
use crate::failure::WriteError;
use crate::mapping::Plan;
use crate::order::{Pass, Segment};
use crate::orphans;
use crate::reduce::{EqualKeys, Reduced};
use crate::rows::Row;
use crate::target::{Target, WriteMethod};
use crate::transaction::within;
use crate::unnest::Session;

/// Writes all rows of the batch, segment by segment, each step within the limit. Returns how many rows were touched.
pub(crate) async fn write(
    session: &mut Session<'_>,
    plan: &mut Plan,
    segments: &[Segment],
    limit: Duration,
) -> Result<u64, WriteError> {
    let mut touched = 0;
    for segment in segments {
        let mut reduced: Vec<Option<Reduced>> = plan.targets.iter().map(|_| None).collect();
        for pass in plan.order.passes() {
            let target = plan.targets.get_mut(pass.target());
            let target = target.expect("the order names the plan's targets");
            let left = reduced.get_mut(pass.target());
            let left = left.expect("every target has an entry");
            let table = target.table.name.to_string();
            let result = match pass {
                Pass::Delete(_) => {
                    let deleting = delete(session, target, segment, left);
                    within("delete rows", limit, deleting).await
                }
                Pass::Write(_) => {
                    let writing = write_rows(session, target, segment, left.take());
                    within("write rows", limit, writing).await
                }
            };
            touched += result.map_err(|error| error.at(&table))?;
        }
    }
    Ok(touched)
}

/// Reduces the segment's rows of a keyed target and runs its deletes.
async fn delete(
    session: &mut Session<'_>,
    target: &mut Target,
    segment: &Segment,
    left: &mut Option<Reduced>,
) -> Result<u64, WriteError> {
    if !target.is_keyed() {
        return Ok(0);
    }
    let mut rows = rows_of(target, segment);
    let key = target.key_positions();
    let equal = session.equal_keys(target, &key, &rows).await?;
    let mut touched = 0;
    if target.parent.is_some() {
        let swept = orphans::sweep(session, target, segment, &equal).await?;
        touched += swept.touched;
        rows = swept.rows;
    }
    if rows.is_empty() {
        return Ok(touched);
    }
    let reduced = left.insert(reduce(target, rows, &equal));
    if !reduced.deletes.is_empty() {
        touched += session.delete(target, &reduced.deletes).await?;
    }
    Ok(touched)
}

fn reduce(target: &mut Target, rows: Vec<Row>, equal: &EqualKeys) -> Reduced {
    target.rows.reduce(rows, equal, &mut target.sets)
}

fn rows_of(target: &Target, segment: &Segment) -> Vec<Row> {
    let range = segment.range_of(&target.rows.rows);
    let rows = target.rows.rows.get(range);
    rows.expect("rows are in the order of their records")
        .to_vec()
}

async fn write_rows(
    session: &mut Session<'_>,
    target: &mut Target,
    segment: &Segment,
    reduced: Option<Reduced>,
) -> Result<u64, WriteError> {
    let rows = match &reduced {
        Some(reduced) => reduced.writes.clone(),
        None => rows_of(target, segment),
    };
    if target.write == WriteMethod::Copy {
        return Ok(copy::send(session, target, &rows).await?);
    }
    let mut touched = 0;
    for group in target.groups(&rows) {
        touched += session.write(target, &group.shape, &group.rows).await?;
    }
    if let Some(reduced) = reduced
        && target.write == WriteMethod::Update
        && target.refuses_missing_rows
        && (touched < rows.len() as u64 || !target.has_unique_key)
    {
        refuse_missing(session, target, &reduced).await?;
    }
    Ok(touched)
}

/// Fewer rows were updated than keys sent: rejects the records whose keys no row has.
async fn refuse_missing(
    session: &mut Session<'_>,
    target: &Target,
    reduced: &Reduced,
) -> Result<(), WriteError> {
    let missing = session.find_missing(target, &reduced.writes).await?;
    let mut records: Vec<usize> = missing
        .into_iter()
        .flat_map(|write| reduced.records_of(write))
        .collect();
    records.sort_unstable();
    records.dedup();
    if records.is_empty() {
        return Ok(());
    }
    let refusals = records.into_iter().map(|record| RejectedRecord {
        record,
        cause: Cause::new(format!(
            "table `{}` has no row with this key to update",
            target.table.name
        ))
        .with_help("missing_row = \"ignore\" skips such records, mode = \"upsert\" inserts them"),
    });
    Err(WriteError::refused(refusals.collect()))
}
