//! The order of writing tables, so that foreign keys hold after every statement.
//!
//! A batch first deletes, children before parents, and then writes, parents before children: one statement per table, but not in
//! the order of the records. A child that moves to another parent before its old parent is deleted would be moved too late. Such
//! a batch is cut into segments, which are written one after the other. If the foreign key only checks, the batch is tried whole
//! first, because a wrong order fails. If it acts (CASCADE, SET NULL, SET DEFAULT), a wrong order would result in other rows, so
//! the batch is always cut.

use std::ops::Range;

use crate::catalog::Table;
use crate::rows::{Operation, Row};
use crate::target::Target;

/// A range of the batch's records that is written before the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) records: Range<usize>,
}

impl Segment {
    /// The indexes of the segment's rows.
    pub(crate) fn range_of(&self, rows: &[Row]) -> Range<usize> {
        let start = rows.partition_point(|row| row.record < self.records.start);
        let end = rows.partition_point(|row| row.record < self.records.end);
        start..end
    }
}

/// Where a batch is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// Where a wrong order would silently change rows.
    Needed,
    /// Also where a delete and a write of two tables with a foreign key between them would be reordered. Two deletes or two writes
    /// may be reordered, unless the tables are in a cycle, where a child before its parent would fail.
    All,
}

/// One step over a segment: the deletes or the writes of the target with this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Delete(usize),
    Write(usize),
}

impl Pass {
    pub(crate) fn target(self) -> usize {
        match self {
            Pass::Delete(target) | Pass::Write(target) => target,
        }
    }

    fn is_delete(self) -> bool {
        matches!(self, Pass::Delete(_))
    }
}

/// How foreign keys relate two targets, or one to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relation {
    child: usize,
    parent: usize,
    acts_on_delete: bool,
}

/// The order of a plan's targets.
#[derive(Debug, Default)]
pub(crate) struct Order {
    passes: Vec<Pass>,
    relations: Vec<Relation>,
}

impl Order {
    /// Parents before children, otherwise in the order of the file, as are tables in a cycle of foreign keys.
    pub(crate) fn new<'a>(tables: impl Iterator<Item = &'a Table>) -> Order {
        let tables: Vec<&Table> = tables.collect();
        let relations = relations(&tables);
        let relates = |child: usize, parent: usize| {
            relations
                .iter()
                .any(|relation| relation.child == child && relation.parent == parent)
        };
        let mut sorted: Vec<usize> = Vec::new();
        while let Some(next) = (0..tables.len())
            .filter(|table| !sorted.contains(table))
            .find(|table| {
                let mut others = (0..tables.len()).filter(|other| !sorted.contains(other));
                others.all(|other| !relates(*table, other) || relates(other, *table))
            })
        {
            sorted.push(next);
        }
        assert_eq!(
            sorted.len(),
            tables.len(),
            "tables in a cycle do not wait for each other"
        );
        let deletes = sorted.iter().rev().map(|table| Pass::Delete(*table));
        let writes = sorted.iter().map(|table| Pass::Write(*table));
        Order {
            passes: deletes.chain(writes).collect(),
            relations,
        }
    }

    /// Whether a foreign key of a target references a target.
    pub(crate) fn has_relations(&self) -> bool {
        !self.relations.is_empty()
    }

    /// The steps over a segment, in order.
    pub(crate) fn passes(&self) -> &[Pass] {
        &self.passes
    }

    /// Cuts a batch of `records` records.
    pub(crate) fn segments(&self, targets: &[Target], records: usize, cuts: Cuts) -> Vec<Segment> {
        let is_uncut = match cuts {
            Cuts::Needed => !self
                .relations
                .iter()
                .any(|relation| relation.acts_on_delete),
            Cuts::All => self.relations.is_empty(),
        };
        let mut starts = vec![0];
        if !is_uncut {
            starts.extend(self.cuts(steps(targets), cuts));
        }
        let ends = starts.iter().skip(1).copied().chain([records]);
        let ranges = starts.iter().zip(ends);
        ranges
            .map(|(start, end)| Segment {
                records: *start..end,
            })
            .collect()
    }

    /// The indexes of the records before which the batch is cut.
    fn cuts(&self, steps: Vec<Step>, cuts: Cuts) -> Vec<usize> {
        let mut found = Vec::new();
        let mut earlier: Vec<Pass> = Vec::new();
        for of_record in steps.chunk_by(|left, right| left.record == right.record) {
            let conflicts = |step: &Step| {
                earlier
                    .iter()
                    .any(|before| self.conflict(*before, step.pass, cuts))
            };
            if of_record.iter().any(conflicts) {
                found.extend(of_record.first().map(|step| step.record));
                earlier.clear();
            }
            for step in of_record {
                if !earlier.contains(&step.pass) {
                    earlier.push(step.pass);
                }
            }
        }
        found
    }

    /// Whether running `later` before `earlier` may have another result than the order of their records.
    fn conflict(&self, earlier: Pass, later: Pass, cuts: Cuts) -> bool {
        self.relations.iter().any(|relation| {
            let (child, parent) = (relation.child, relation.parent);
            match cuts {
                Cuts::Needed => {
                    relation.acts_on_delete
                        && earlier == Pass::Write(child)
                        && later == Pass::Delete(parent)
                }
                Cuts::All => {
                    let pair = [earlier.target(), later.target()];
                    let is_cycle = self.relates(parent, child);
                    (pair == [child, parent] || pair == [parent, child])
                        && self.rank(later) < self.rank(earlier)
                        && (earlier.is_delete() != later.is_delete() || is_cycle)
                }
            }
        })
    }

    fn relates(&self, child: usize, parent: usize) -> bool {
        self.relations
            .iter()
            .any(|relation| relation.child == child && relation.parent == parent)
    }

    fn rank(&self, pass: Pass) -> usize {
        let rank = self.passes.iter().position(|known| *known == pass);
        rank.expect("the order has every pass")
    }
}

/// What one record does to one target.
#[derive(Clone, Copy, Debug)]
struct Step {
    record: usize,
    pass: Pass,
}

/// The steps of all records, in their order.
fn steps(targets: &[Target]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        steps.extend(target.rows.rows.iter().map(|row| Step {
            record: row.record,
            pass: match row.operation {
                Operation::Delete => Pass::Delete(index),
                Operation::Write => Pass::Write(index),
            },
        }));
    }
    for (index, target) in targets.iter().enumerate() {
        steps.extend(target.rows.sweeps.iter().map(|sweep| Step {
            record: sweep.parent.record,
            pass: Pass::Delete(index),
        }));
    }
    steps.sort_by_key(|step| step.record);
    steps
}

fn relations(tables: &[&Table]) -> Vec<Relation> {
    let mut relations = Vec::new();
    for (child, table) in tables.iter().enumerate() {
        for reached in &table.parents {
            let parents = tables.iter().enumerate();
            relations.extend(parents.filter(|(_, parent)| parent.oid == reached.oid).map(
                |(parent, _)| Relation {
                    child,
                    parent,
                    acts_on_delete: reached.acts_on_delete,
                },
            ));
        }
    }
    relations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Parent, testing};

    /// Tables by oid, each with the tables that its foreign keys reach.
    fn order(tables: &[(i64, &[i64])], acts_on_delete: bool) -> Order {
        let tables: Vec<Table> = tables
            .iter()
            .map(|(oid, parents)| {
                let parents = parents.iter().map(|oid| Parent {
                    oid: *oid,
                    acts_on_delete,
                });
                let mut table = testing::table();
                table.oid = *oid;
                table.parents = parents.collect();
                table
            })
            .collect();
        Order::new(tables.iter())
    }

    /// The targets in the order in which they are written.
    fn written(order: &Order) -> Vec<usize> {
        let writes = order.passes().iter();
        writes
            .filter_map(|pass| match pass {
                Pass::Write(target) => Some(*target),
                Pass::Delete(_) => None,
            })
            .collect()
    }

    #[test]
    fn parents_are_written_first_and_deleted_last() {
        type Tables<'a> = &'a [(i64, &'a [i64])];
        let cases: [(&str, Tables, &[usize]); 6] = [
            (
                "no foreign keys",
                &[(1, &[]), (2, &[]), (3, &[])],
                &[0, 1, 2],
            ),
            ("parent first in the file", &[(1, &[]), (2, &[1])], &[0, 1]),
            ("child first in the file", &[(2, &[1]), (1, &[])], &[1, 0]),
            (
                "grandchild, child, parent",
                &[(3, &[1, 2]), (2, &[1]), (1, &[])],
                &[2, 1, 0],
            ),
            ("a reference to itself", &[(1, &[1]), (2, &[])], &[0, 1]),
            (
                "a cycle with a child of it",
                &[(3, &[1, 2]), (1, &[2, 1]), (2, &[1, 2])],
                &[1, 2, 0],
            ),
        ];
        for (name, tables, expected) in cases {
            let order = order(tables, false);
            assert_eq!(written(&order), expected, "{name}");
            let deleted: Vec<usize> = order
                .passes()
                .iter()
                .take(tables.len())
                .map(|pass| pass.target())
                .collect();
            let reversed: Vec<usize> = expected.iter().rev().copied().collect();
            assert_eq!(deleted, reversed, "{name}");
        }
    }

    #[test]
    fn a_batch_is_cut_where_the_order_of_its_records_counts() {
        use Pass::{Delete, Write};
        // Target 0 is the parent of 1; 2 is alone, 3 refers to itself, 4 and 5 to each other.
        let tables: &[(i64, &[i64])] = &[
            (1, &[]),
            (2, &[1]),
            (3, &[]),
            (4, &[4]),
            (5, &[5, 6]),
            (6, &[5, 6]),
        ];
        type Case<'a> = (&'a str, &'a [Pass], &'a [usize], &'a [usize]);
        let cases: [Case; 10] = [
            (
                "child, then parent deleted",
                &[Delete(1), Delete(0)],
                &[],
                &[],
            ),
            (
                "parent, then child written",
                &[Write(0), Write(1)],
                &[],
                &[],
            ),
            (
                "all in the usual order",
                &[Delete(1), Delete(0), Write(0), Write(1)],
                &[],
                &[],
            ),
            (
                "child moved, then its parent deleted",
                &[Write(1), Delete(0)],
                &[1],
                &[1],
            ),
            (
                "child written, then its new parent",
                &[Write(1), Write(0)],
                &[],
                &[],
            ),
            (
                "parent, then child deleted",
                &[Delete(0), Delete(1)],
                &[],
                &[],
            ),
            ("a cycle", &[Write(5), Write(4)], &[], &[1]),
            (
                "unrelated",
                &[Write(2), Delete(0), Write(2), Delete(1)],
                &[],
                &[],
            ),
            (
                "again and again",
                &[Write(1), Delete(0), Write(1), Delete(0)],
                &[1, 3],
                &[1, 3],
            ),
            (
                "a row moved away from one of its own table",
                &[Write(3), Delete(3)],
                &[1],
                &[1],
            ),
        ];
        for (name, passes, needed, all) in cases {
            let steps = || {
                let steps = passes.iter().enumerate();
                steps
                    .map(|(record, pass)| Step {
                        record,
                        pass: *pass,
                    })
                    .collect()
            };
            let acting = order(tables, true);
            let checking = order(tables, false);
            assert_eq!(acting.cuts(steps(), Cuts::Needed), needed, "{name}");
            assert_eq!(checking.cuts(steps(), Cuts::All), all, "{name}");
            assert_eq!(checking.cuts(steps(), Cuts::Needed), [0; 0], "{name}");
        }
    }
}
