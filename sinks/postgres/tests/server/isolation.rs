//! Refused records are found within one write: all of them, no others, and as if every record were written by itself.

use connect_api::{Failure, Record, RejectedRecord, Sink};
use connect_sink_postgres::PostgresSink;

use crate::model::Random;
use crate::support::*;

const UPSERT: &str = "mode = \"upsert\"\nkey = [\"id\"]";

async fn refused_by(sink: &mut PostgresSink, list: &[Record]) -> Vec<RejectedRecord> {
    match sink.write(&batch(list, 0)).await {
        Err(Failure::Refused(refused)) => refused,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("all was written"),
    }
}

#[tokio::test]
async fn all_are_found_by_one_write_and_at_most_two_attempts_each() {
    const COUNT: i64 = 600;
    type Case = (&'static str, fn(i64) -> bool, i64);
    // Beside the pieces: the attempt before them, the rehearsal, and the write of the rest.
    let cases: [Case; 3] = [
        ("all", |_| true, COUNT + 20),
        ("one", |id| id == 321, 40),
        ("every second", |id| id % 2 == 0, COUNT + 20),
    ];
    for (name, is_bad, most) in cases {
        for mode in ["", UPSERT] {
            // A sequence counts what is rolled back as well.
            let mut database = Database::new(
                "CREATE TABLE t (id int8 PRIMARY KEY, v int4 CHECK (v <> 13)); CREATE SEQUENCE attempts;
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN PERFORM nextval('attempts'); RETURN NULL; END $$;
                 CREATE TRIGGER f BEFORE INSERT ON t EXECUTE FUNCTION f()",
            )
            .await;
            let row = |id| format!(r#"{{"id":{id},"v":{}}}"#, if is_bad(id) { 13 } else { 1 });
            let values: Vec<String> = (0..COUNT).map(row).collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let list = records(&values);
            let toml = format!("[[tables]]\ntable = \"t\"\n{mode}");
            let mut sink = open(&database.url(), &toml).await;
            sink.resume(&[partition(0)]).await.unwrap();
            let refused = refused_by(&mut sink, &list).await;
            let found: Vec<i64> = refused.iter().map(|one| one.record as i64).collect();
            let bad: Vec<i64> = (0..COUNT).filter(|id| is_bad(*id)).collect();
            assert_eq!(found, bad, "{name}, {mode}");
            for one in refused {
                assert_eq!(one.cause.code.as_deref(), Some("23514"), "{name}, {mode}");
            }
            let good: Vec<&Record> = list
                .iter()
                .filter(|record| !is_bad(record.origin.offset))
                .collect();
            let count = good.len();
            sink.write(&batch_of(good, 0, 0, COUNT)).await.unwrap();
            let rows = database
                .text("SELECT count(*), (SELECT max(next_offset) FROM connect_progress) FROM t");
            assert_eq!(rows.await, format!("({count},{COUNT})"), "{name}, {mode}");
            let attempts = database.text("SELECT last_value FROM attempts").await;
            let attempts: i64 = attempts.trim_matches(['(', ')']).parse().unwrap();
            assert!(attempts <= most, "{name}, {mode}: {attempts} attempts");
            database.drop().await;
        }
    }
}

#[tokio::test]
async fn what_a_source_record_became_is_refused_once() {
    let database =
        Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v int4 CHECK (v <> 13))").await;
    // Source record 0 became two records, of which the second is bad; the third record is good.
    let list = [
        record(0, None, Some(r#"{"id":1,"v":1}"#)),
        record(0, None, Some(r#"{"id":2,"v":13}"#)),
        record(1, None, Some(r#"{"id":1,"v":2}"#)),
    ];
    let mut sink = open(&database.url(), "[[tables]]\ntable = \"t\"").await;
    sink.resume(&[partition(0)]).await.unwrap();
    let refused = refused_by(&mut sink, &list).await;
    let found: Vec<usize> = refused.iter().map(|one| one.record).collect();
    // The row with id 1 goes with its source record, so that the next one finds it free.
    assert_eq!(found, [0]);
    database.drop().await;
}

#[tokio::test]
async fn a_parent_that_is_refused_takes_its_children_along_and_a_late_one_does_not() {
    let tables = "CREATE TABLE p (id int8 PRIMARY KEY, v int4 CHECK (v <> 13));
         CREATE TABLE c (id int8 PRIMARY KEY, parent int8 NOT NULL REFERENCES p, v int4 CHECK (v <> 13));";
    let toml = format!(
        "[[tables]]\ntable = \"p\"\n{UPSERT}\nwhen = \"value.t == 'p'\"\n[[tables]]\ntable = \"c\"\n{UPSERT}\nwhen = \"value.t == 'c'\""
    );
    let p = |id, v| format!(r#"{{"t":"p","id":{id},"v":{v}}}"#);
    let c = |id, parent, v| format!(r#"{{"t":"c","id":{id},"parent":{parent},"v":{v}}}"#);
    // While a parent may come from elsewhere, only what is before its first child is judged.
    type Case = (
        &'static str,
        Vec<String>,
        &'static [usize],
        &'static [usize],
    );
    let cases: [Case; 4] = [
        (
            "of a refused parent",
            vec![p(1, 13), c(1, 1, 1), p(2, 1), c(2, 2, 1)],
            &[0, 1],
            &[0],
        ),
        (
            "before its parent",
            vec![c(1, 1, 1), p(2, 13), c(2, 2, 1), p(1, 1)],
            &[1, 2],
            &[1],
        ),
        (
            "before its parent, which is refused",
            vec![c(1, 1, 1), p(1, 13), p(2, 1)],
            &[0, 1],
            &[],
        ),
        (
            "of a parent that is nowhere",
            vec![c(1, 1, 13), p(1, 1), c(2, 1, 1), c(3, 9, 1)],
            &[0, 3],
            &[0],
        ),
    ];
    for (name, values, at_once, before_the_wait) in cases {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let list = records(&values);
        for (wait, expected) in [("0s", at_once), ("1h", before_the_wait)] {
            let database = Database::new(tables).await;
            let toml = format!("missing_parent = \"{wait}\"\n{toml}");
            let mut sink = open(&database.url(), &toml).await;
            sink.resume(&[partition(0)]).await.unwrap();
            let case = format!("a child {name}, missing_parent = {wait}");
            match sink.write(&batch(&list, 0)).await.unwrap_err() {
                Failure::Refused(refused) => {
                    let found: Vec<usize> = refused.iter().map(|one| one.record).collect();
                    assert_eq!(found, expected, "{case}");
                }
                Failure::Retry(cause) => {
                    assert_eq!(cause.code.as_deref(), Some("23503"), "{case}");
                    assert!(expected.is_empty(), "{case}: {cause}");
                }
                other => panic!("{case}: {other}"),
            }
            database.drop().await;
        }
    }
}

/// `p` has every kind of constraint that refuses a row by itself, `c` names rows of `p`.
fn tables(deferred: &str) -> String {
    format!(
        "CREATE TABLE p (id int8 PRIMARY KEY, u int8 UNIQUE {deferred}, v int4 CHECK (v <> 13), w int4 NOT NULL DEFAULT 0);
         CREATE TABLE c (id int8 PRIMARY KEY, parent int8 REFERENCES p {deferred}, v int4 CHECK (v <> 13));
         CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.v = 14 THEN RAISE EXCEPTION 'fourteen'; END IF;
             IF NEW.v = 15 THEN NEW.w = NULL; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER before BEFORE INSERT OR UPDATE ON p FOR EACH ROW EXECUTE FUNCTION before();
         CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.v = 16 THEN RAISE EXCEPTION 'late' USING ERRCODE = '45000'; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON p {deferred} FOR EACH ROW EXECUTE FUNCTION late()"
    )
}

/// Records of which some are refused. What would undo the reason does not follow: within a batch the last of a key wins,
/// and deletes come first, so that a batch may accept what its records one by one would not.
fn random_records(random: &mut Random, count: i64, is_keyed: bool) -> Vec<Record> {
    let mut list = Vec::new();
    // Parents that are there, each with whether it may be deleted, and children that are there with their parents.
    let mut parents: Vec<(i64, bool)> = Vec::new();
    let mut children: Vec<(i64, i64)> = Vec::new();
    for offset in 0..count {
        let id = offset + 1;
        let good = random.below(100);
        let v = if random.below(5) == 0 {
            13 + random.below(4)
        } else {
            good % 13
        };
        let any = random.below(parents.len().max(1) as u64) as usize;
        let parent = parents.get(any).map_or(0, |(id, _)| *id);
        let fields = match random.below(10) {
            // A new parent; one of ten has the `u` of another.
            0..=2 => {
                let u = if random.below(10) == 0 && parent > 0 {
                    parent
                } else {
                    id
                };
                match parents.iter_mut().find(|(id, _)| *id == u) {
                    Some((_, may_go)) => *may_go = false,
                    None if v < 13 => parents.push((id, true)),
                    None => {}
                }
                format!(r#""op":"w","p":{{"id":{id},"u":{u},"v":{v}}}"#)
            }
            // A child, of a parent that was never there or refused in one of ten.
            3..=5 => {
                let parent = if random.below(10) == 0 {
                    1_000_000
                } else {
                    parent
                };
                if v != 13 && parents.iter().any(|(id, _)| *id == parent) {
                    children.push((id, parent));
                }
                format!(r#""op":"w","c":{{"id":{id},"parent":{parent},"v":{v}}}"#)
            }
            // Both: all or nothing, whichever is refused.
            6 => {
                let bad = random.below(3);
                format!(
                    r#""op":"w","p":{{"id":{id},"u":{id},"v":{}}},"c":{{"id":{id},"parent":{id},"v":{}}}"#,
                    if bad == 0 { 14 } else { 1 },
                    if bad == 1 { 13 } else { 1 }
                )
            }
            // A parent once more.
            7 if is_keyed && parent > 0 => {
                format!(r#""op":"w","p":{{"id":{parent},"v":{}}}"#, v % 13)
            }
            // A parent goes, unless a child is there: then its children stay.
            8 if is_keyed && parents.get(any).is_some_and(|(_, may_go)| *may_go) => {
                parents.remove(any);
                children.retain(|(_, of)| *of != parent);
                format!(r#""op":"d","p":{{"id":{parent}}}"#)
            }
            9 if is_keyed && !children.is_empty() => {
                let (child, _) = children.remove(random.below(children.len() as u64) as usize);
                format!(r#""op":"d","c":{{"id":{child}}}"#)
            }
            _ => format!(r#""op":"w","c":{{"id":{id},"v":{v}}}"#),
        };
        list.push(record(offset, None, Some(&format!("{{{fields}}}"))));
    }
    list
}

fn config_of(is_keyed: bool) -> String {
    let columns = |table: &str| match table {
        "p" => "id = \"$.p.id\", u = \"$.p.u\", v = \"$.p.v\"",
        _ => "id = \"$.c.id\", parent = \"$.c.parent\", v = \"$.c.v\"",
    };
    let entry = |table: &str, op: &str, mode: &str, columns: &str| {
        format!(
            "[[tables]]\ntable = \"{table}\"\n{mode}\nwhen = \"value.op == '{op}' && has(value.{table})\"\ncolumns = {{ {columns} }}\n"
        )
    };
    let mut toml = "missing_parent = \"0s\"\n".to_owned();
    for table in ["c", "p"] {
        let mode = if is_keyed { UPSERT } else { "" };
        toml += &entry(table, "w", mode, columns(table));
        if is_keyed {
            let delete = "mode = \"delete\"\nkey = [\"id\"]";
            toml += &entry(table, "d", delete, &format!("id = \"$.{table}.id\""));
        }
    }
    toml
}

/// What is refused, with its code, and what is in the tables at the end.
async fn outcome(
    tables: &str,
    toml: &str,
    list: &[Record],
    mut length: impl FnMut() -> usize,
) -> (Vec<String>, Vec<String>) {
    let mut database = Database::new(tables).await;
    // Hundreds of commits, none of which has to survive.
    let hasty = format!(
        "ALTER DATABASE {} SET synchronous_commit = off",
        database.name
    );
    database.run(&hasty).await;
    let mut sink = open(&database.url(), toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let mut refused = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(length().min(rest.len()));
        rest = after;
        let offset = |record: &Record| record.origin.offset;
        let range = (offset(&batch[0]), offset(batch.last().unwrap()) + 1);
        bisect(&mut sink, batch.iter().collect(), range, &mut refused).await;
    }
    refused.sort_by_key(|(offset, _)| *offset);
    let refused = refused
        .into_iter()
        .map(|(offset, cause)| format!("{offset} {}", cause.code.unwrap_or_default()))
        .collect();
    let rows = database
        .lines("SELECT 'p' AS t, id, u, v FROM p UNION ALL SELECT 'c', id, parent, v FROM c ORDER BY 1, 2")
        .await;
    sink.close().await.unwrap();
    database.drop().await;
    (refused, rows)
}

#[tokio::test]
async fn random_batches_end_as_their_records_one_by_one() {
    let mut met = Vec::new();
    for (number, (deferred, is_keyed)) in [
        ("", true),
        ("DEFERRABLE INITIALLY DEFERRED", false),
        ("DEFERRABLE INITIALLY DEFERRED", true),
        ("DEFERRABLE INITIALLY IMMEDIATE", true),
    ]
    .into_iter()
    .enumerate()
    {
        let seed = number as u64;
        let mut random = Random(seed);
        let list = random_records(&mut random, 200, is_keyed);
        let (tables, toml) = (tables(deferred), config_of(is_keyed));
        let one_by_one = outcome(&tables, &toml, &list, || 1).await;
        let batches = outcome(&tables, &toml, &list, || 1 + random.below(80) as usize).await;
        let case = format!("{deferred}, keyed {is_keyed}, seed {seed}");
        assert_eq!(batches.0, one_by_one.0, "{case}");
        assert_eq!(batches.1, one_by_one.1, "{case}");
        met.extend(one_by_one.0);
    }
    for code in ["23502", "23503", "23505", "23514", "45000", "P0001"] {
        let is_met = met.iter().any(|refused| refused.ends_with(code));
        assert!(is_met, "nothing is refused with {code}");
    }
}
