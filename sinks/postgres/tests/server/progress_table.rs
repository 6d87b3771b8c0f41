//! What is taken for the progress table, and what is refused.

use connect_api::{Failure, Sink};

use crate::support::*;

const INSERT: &str =
    "[[tables]]\ntable = \"sales\"\nmode = \"insert\"\n[tables.columns]\nid = \"$.id\"";
const SALES: &str = "CREATE TABLE sales (id int8)";

/// The table as earlier versions made it.
const TABLE: &str = "CREATE TABLE connect_progress (cluster_id text NOT NULL, connector text NOT NULL, sink text NOT NULL,
    topic text NOT NULL, partition int4 NOT NULL, next_offset int8, epoch int8 NOT NULL, topic_id text,
    last_timestamp timestamptz, updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster_id, connector, sink, topic, partition)) WITH (fillfactor = 50);";

/// A case's name, what is done after [`TABLE`], and words of the refusal; none where it is taken.
type Case = (&'static str, &'static str, &'static [&'static str]);

const CASES: [Case; 25] = [
    ("as it was", "", &[]),
    (
        "a column of a later version",
        "ALTER TABLE connect_progress ADD later text",
        &[],
    ),
    (
        "one that must be filled",
        "ALTER TABLE connect_progress ADD later text NOT NULL",
        &["`later`", "ALTER \"later\" DROP NOT NULL"],
    ),
    (
        "a missing column",
        "ALTER TABLE connect_progress DROP epoch",
        &["no column `epoch`", "ADD epoch bigint"],
    ),
    (
        "another type",
        "ALTER TABLE connect_progress ALTER next_offset TYPE int4",
        &[
            "`next_offset`: integer",
            "expected bigint",
            "ALTER next_offset TYPE bigint",
        ],
    ),
    (
        "a domain",
        "CREATE DOMAIN word AS text CHECK (length(VALUE) < 99); ALTER TABLE connect_progress ALTER topic TYPE word",
        &["`topic`: word"],
    ),
    (
        "an inexact text",
        "CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER TABLE connect_progress ALTER topic TYPE text COLLATE lax",
        &["nondeterministic"],
    ),
    (
        "a default",
        "ALTER TABLE connect_progress ALTER next_offset SET DEFAULT 0",
        &["a default", "DROP DEFAULT"],
    ),
    (
        "no key",
        "ALTER TABLE connect_progress DROP CONSTRAINT connect_progress_pkey",
        &[
            "no primary key",
            "ADD PRIMARY KEY (cluster_id, connector, sink, topic, partition)",
        ],
    ),
    (
        "a smaller key",
        "ALTER TABLE connect_progress DROP CONSTRAINT connect_progress_pkey, ADD PRIMARY KEY (topic, partition)",
        &["the primary key (partition, topic)"],
    ),
    (
        "a deferrable key",
        "ALTER TABLE connect_progress DROP CONSTRAINT connect_progress_pkey, ADD PRIMARY KEY (cluster_id, connector, sink, topic, partition) DEFERRABLE",
        &["no primary key that is checked immediately"],
    ),
    (
        "a trigger",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER mine BEFORE UPDATE ON connect_progress FOR EACH ROW EXECUTE FUNCTION f()",
        &[
            "the trigger `mine`",
            "DROP TRIGGER \"mine\" ON \"public\".\"connect_progress\"",
        ],
    ),
    (
        "a rule",
        "CREATE RULE nothing AS ON UPDATE TO connect_progress DO INSTEAD NOTHING",
        &["the rule `nothing`", "DROP RULE"],
    ),
    (
        "a check",
        "ALTER TABLE connect_progress ADD CONSTRAINT small CHECK (next_offset < 5)",
        &["the constraint `small`"],
    ),
    (
        "another unique key",
        "CREATE UNIQUE INDEX one ON connect_progress (topic)",
        &["the unique index one", "DROP INDEX one"],
    ),
    (
        "policies",
        "ALTER TABLE connect_progress ENABLE ROW LEVEL SECURITY",
        &["row-level security", "DISABLE ROW LEVEL SECURITY"],
    ),
    (
        "a child",
        "CREATE TABLE child () INHERITS (connect_progress)",
        &["the child child", "ALTER TABLE child NO INHERIT"],
    ),
    (
        "a parent",
        "CREATE TABLE parent (); ALTER TABLE connect_progress INHERIT parent",
        &["the parent parent", "NO INHERIT parent"],
    ),
    (
        "unlogged",
        "ALTER TABLE connect_progress SET UNLOGGED",
        &["unlogged", "SET LOGGED"],
    ),
    (
        "a view",
        "ALTER TABLE connect_progress RENAME TO other; CREATE VIEW connect_progress AS SELECT * FROM other",
        &["found a view, expected an ordinary table", "progress_table"],
    ),
    (
        "a materialized view",
        "ALTER TABLE connect_progress RENAME TO other; CREATE MATERIALIZED VIEW connect_progress AS SELECT * FROM other",
        &["a materialized view"],
    ),
    (
        "a partitioned table",
        "ALTER TABLE connect_progress RENAME TO other; CREATE TABLE connect_progress (LIKE other) PARTITION BY LIST (topic)",
        &["a partitioned table"],
    ),
    (
        "a foreign table",
        "DROP TABLE connect_progress; CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE connect_progress (topic text) SERVER files OPTIONS (filename '/dev/null')",
        &["a foreign table"],
    ),
    (
        "a sequence",
        "DROP TABLE connect_progress; CREATE SEQUENCE connect_progress",
        &["an index, a sequence or a type"],
    ),
    (
        "two differences",
        "ALTER TABLE connect_progress ENABLE ROW LEVEL SECURITY, ALTER epoch DROP NOT NULL",
        &["row-level security", "`epoch`: nullable", "SET NOT NULL"],
    ),
];

#[track_caller]
fn assert_refused(name: &str, failure: Option<Failure>, words: &[&str]) {
    let Some(Failure::Fatal(cause)) = failure else {
        panic!("{name}: {failure:?}");
    };
    let text = cause.to_string();
    for word in words {
        assert!(text.contains(word), "{name}: {word} is not in: {text}");
    }
}

#[tokio::test]
async fn only_the_progress_table_is_taken_for_it() {
    for (name, change, words) in CASES {
        let mut database = Database::new(SALES).await;
        database.run(TABLE).await;
        database.run(change).await;
        let opened = try_open(&database.url(), INSERT).await;
        if words.is_empty() {
            opened.unwrap().close().await.unwrap();
        } else {
            assert_refused(name, opened.err(), words);
        }
        database.drop().await;
    }
}

/// Each change is made between two batches: no record is blamed for it, and the connector ends with what was found.
#[tokio::test]
async fn a_table_that_changes_while_it_is_used_is_refused_and_no_record_is() {
    let loud = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE TRIGGER mine BEFORE UPDATE ON connect_progress FOR EACH ROW EXECUTE FUNCTION f()";
    let silent = "CREATE RULE nothing AS ON UPDATE TO connect_progress DO INSTEAD NOTHING";
    let cases = [
        ("a trigger", loud, "the trigger `mine`"),
        ("a rule", silent, "the rule `nothing`"),
        (
            "a type",
            "ALTER TABLE connect_progress ALTER epoch TYPE text",
            "`epoch`: text",
        ),
        (
            "a check",
            "ALTER TABLE connect_progress ADD CHECK (next_offset < 2)",
            "the constraint",
        ),
        (
            "its end",
            "DROP TABLE connect_progress",
            "does not exist any more",
        ),
    ];
    for (name, change, words) in cases {
        let mut database = Database::new(SALES).await;
        let mut sink = open(&database.url(), INSERT).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let list = records(&[r#"{"id":1}"#]);
        sink.write(&batch(&list, 0)).await.unwrap();
        database.run(change).await;
        let mut last = None;
        for _ in 0..3 {
            let failure = match last {
                Some(Failure::Superseded(_)) => sink.resume(&[partition(0)]).await.unwrap_err(),
                _ => sink.write(&batch(&list, 1)).await.unwrap_err(),
            };
            let is_expected = matches!(
                failure,
                Failure::Retry(_) | Failure::Superseded(_) | Failure::Fatal(_)
            );
            assert!(is_expected, "{name}: {failure:?}");
            let is_last = matches!(failure, Failure::Fatal(_));
            last = Some(failure);
            if is_last {
                break;
            }
        }
        assert_refused(name, last, &[words]);
        assert_eq!(
            database.text("SELECT count(*) FROM sales").await,
            "(1)",
            "{name}"
        );
        database.drop().await;
    }
}

/// Before PostgreSQL 15 every role could do this in `public`.
#[tokio::test]
async fn a_table_that_a_stranger_planted_is_refused_also_by_a_superuser() {
    let mut database = Database::new(SALES).await;
    let stranger = format!("stranger{}", &database.name[13..]);
    let us = format!("us{}", &database.name[13..]);
    database
        .run(&format!(
            "CREATE ROLE {stranger}; CREATE ROLE {us} LOGIN PASSWORD 'secret';
             GRANT INSERT ON sales TO {us}; GRANT CREATE ON SCHEMA public TO {stranger};
             SET ROLE {stranger}; {TABLE} GRANT ALL ON connect_progress TO PUBLIC; RESET ROLE"
        ))
        .await;
    let superuser = database.url();
    let (_, address) = superuser.rsplit_once('@').unwrap();
    let ordinary = format!("postgres://{us}:secret@{address}");
    let words = [format!("the owner `{stranger}`"), "OWNER TO".to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for url in [&superuser, &ordinary] {
        assert_refused(url, try_open(url, INSERT).await.err(), &words);
    }
    // Whose member we are is no stranger, and the owner of the database made it for us.
    for change in [
        format!("GRANT {stranger} TO {us}"),
        format!(
            "REVOKE {stranger} FROM {us}; ALTER DATABASE {} OWNER TO {stranger}",
            database.name
        ),
        format!("ALTER TABLE connect_progress OWNER TO {us}"),
    ] {
        database.run(&change).await;
        open(&ordinary, INSERT).await.close().await.unwrap();
    }
    database
        .run(&format!(
            "ALTER DATABASE {} OWNER TO CURRENT_USER; DROP OWNED BY {stranger}, {us}; DROP ROLE {stranger}, {us}",
            database.name
        ))
        .await;
    database.drop().await;
}

/// Progress that exists is found where it was, and a table that comes into an earlier schema later is not taken for it.
#[tokio::test]
async fn the_schema_is_settled_when_the_sink_is_opened() {
    let mut database = Database::new(SALES).await;
    database
        .run(&format!(
            "CREATE SCHEMA early; ALTER DATABASE {} SET search_path = early, public",
            database.name
        ))
        .await;
    database.run(TABLE).await;
    let list = records(&[r#"{"id":1}"#]);
    let mut sink = open(&database.url(), INSERT).await;
    sink.resume(&[partition(0)]).await.unwrap();
    sink.write(&batch(&list, 0)).await.unwrap();
    database
        .run(&TABLE.replace("connect_progress", "early.connect_progress"))
        .await;
    sink.write(&batch(&list, 1)).await.unwrap();
    let counts = "SELECT (SELECT max(next_offset) FROM public.connect_progress), (SELECT count(*) FROM early.connect_progress)";
    assert_eq!(database.text(counts).await, "(2,0)");
    // Without any, the first schema of the path gets one.
    database
        .run("DROP TABLE public.connect_progress, early.connect_progress")
        .await;
    open(&database.url(), INSERT).await.close().await.unwrap();
    assert_eq!(
        database
            .text("SELECT to_regclass('early.connect_progress') IS NOT NULL")
            .await,
        "(t)"
    );
    database
        .run(&format!(
            "ALTER DATABASE {} SET search_path = nowhere",
            database.name
        ))
        .await;
    let qualified = INSERT.replace("\"sales\"", "\"public.sales\"");
    let failure = try_open(&database.url(), &qualified).await.err();
    assert_refused("no schema", failure, &["search_path", "progress_table"]);
    database.drop().await;
}
