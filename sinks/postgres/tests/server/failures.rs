//! Configuration that does not fit the database, changing tables, missing parents, timeouts, privileges, migrations.

use connect_api::{Failure, Sink};

use crate::support::*;

async fn refusal_to_open(url: &str, toml: &str) -> String {
    match try_open(url, toml).await {
        Err(Failure::Fatal(cause)) => cause.to_string(),
        Err(other) => panic!("{toml}: {other:?}"),
        Ok(_) => panic!("{toml}: it opened"),
    }
}

#[tokio::test]
async fn what_does_not_fit_the_database_stops_with_help() {
    let database = Database::new(
        "CREATE TABLE sales (id int8, store text, twice int8 GENERATED ALWAYS AS (id * 2) STORED);
         CREATE SCHEMA shop; CREATE TABLE shop.\"Sales\" (id int8 PRIMARY KEY);
         CREATE TABLE numbered (id int8, n int8 GENERATED ALWAYS AS IDENTITY, v text)",
    )
    .await;
    let cases = [
        (
            "table = \"nothing\"",
            vec!["42P01", "`nothing` does not exist", "migrations"],
        ),
        ("table = \"Sales\"", vec!["`public.sales`", "`shop.Sales`"]),
        (
            "table = \"sales\"\ncolumns = { stor = \"$.a\" }",
            vec!["no column `stor`", "id, store, twice"],
        ),
        (
            "table = \"sales\"\ncolumns = { twice = \"$.a\" }",
            vec!["`twice`", "is generated"],
        ),
        (
            "table = \"sales\"\nmode = \"upsert\"\nkey = [\"id\"]",
            vec![
                "no unique index over (id)",
                "CREATE UNIQUE INDEX ON \"public\".\"sales\" (\"id\")",
            ],
        ),
        (
            "table = \"sales\"\nmode = \"update\"\nkey = [\"nope\"]",
            vec!["no column `nope`"],
        ),
        (
            "table = \"numbered\"\nmode = \"update\"\nkey = [\"id\"]\ncolumns = { id = \"$.id\", n = \"$.n\" }",
            vec![
                "`n` of table `public.numbered`",
                "GENERATED ALWAYS AS IDENTITY",
                "remove it from `columns`",
            ],
        ),
        (
            "table = \"shop.Sales\"\nmode = \"upsert\"\nkey = [\"id\"]\ncolumns = {}",
            vec!["key column `id`", "is not mapped"],
        ),
    ];
    for (table, parts) in cases {
        let message = refusal_to_open(&database.url(), &format!("[[tables]]\n{table}")).await;
        for part in parts {
            assert!(message.contains(part), "{table}: {message}");
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn an_update_by_name_leaves_identity_columns_alone() {
    let mut database = Database::new(
        "CREATE TABLE t (id int8 PRIMARY KEY, n int8 GENERATED ALWAYS AS IDENTITY, v text);
         INSERT INTO t (id) VALUES (1)",
    )
    .await;
    // The second is found by its number, which may be in the statement as long as it is not set.
    for (key, v) in [("id", "first"), ("n", "second")] {
        let toml = format!("[[tables]]\ntable = \"t\"\nmode = \"update\"\nkey = [\"{key}\"]");
        let value = format!(r#"{{"id":1,"n":1,"v":"{v}"}}"#);
        write_all(&database.url(), &toml, &[&value]).await.unwrap();
        assert_eq!(database.text("SELECT * FROM t").await, format!("(1,1,{v})"));
    }
    database.drop().await;
}

#[tokio::test]
async fn wrong_passwords_and_databases_stop_and_outages_wait() {
    let database = Database::new("CREATE TABLE t (id int8)").await;
    let toml = "[[tables]]\ntable = \"t\"";
    let wrong_password = format!(
        "postgres://postgres:hunter2@{}/{}",
        server_address(),
        database.name
    );
    let message = refusal_to_open(&wrong_password, toml).await;
    assert!(
        message.contains("28P01") && !message.contains("hunter2"),
        "{message}"
    );
    let message = refusal_to_open(&format!("{}_gone", database.url()), toml).await;
    assert!(
        message.contains("3D000") && message.contains("create the database"),
        "{message}"
    );
    let failure = try_open(&database.url_at(Some(1)), toml).await.err();
    assert!(matches!(failure, Some(Failure::Retry(_))), "{failure:?}");
    let verified = format!("{}?sslmode=verify-full", database.url());
    let message = refusal_to_open(&verified, toml).await;
    assert!(
        message.contains("TLS") && message.contains("`ca`"),
        "{message}"
    );
    database.drop().await;
}

#[tokio::test]
async fn separate_keys_are_taken_as_they_are() {
    let mut database = Database::new("CREATE TABLE t (id int8)").await;
    let role = format!("r{}", &database.name[13..]);
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'p%40/#:'; GRANT ALL ON t TO {role}; GRANT CREATE ON SCHEMA public TO {role}")).await;
    let address = server_address();
    let (host, port) = address.split_once(':').unwrap();
    let toml = format!(
        "host = \"{host}\"\nport = {port}\nuser = \"{role}\"\npassword = \"p%40/#:\"\ndatabase = \"{}\"\n[[tables]]\ntable = \"t\"",
        database.name
    );
    let config = serde_json::from_value(toml::from_str(&toml).unwrap()).unwrap();
    let opened = <connect_sink_postgres::Postgres as connect_api::SinkPlugin>::open(
        &config,
        context("test"),
    )
    .await;
    let mut sink = opened.unwrap();
    sink.resume(&[partition(0)]).await.unwrap();
    // Another's table: the SQL to type is in the message.
    database.run(&format!("REVOKE ALL ON t FROM {role}")).await;
    let list = records(&[r#"{"id":1}"#]);
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    let Failure::Fatal(cause) = failure else {
        panic!("{failure:?}")
    };
    let expected = format!("GRANT INSERT ON \"public\".\"t\" TO \"{role}\"");
    assert!(cause.to_string().contains(&expected), "{cause}");
    drop(sink);
    database
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_changes_is_read_again() {
    let mut database = Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v text)").await;
    let url = database.url();
    let upsert = "[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]";
    let mut sink = open(&url, upsert).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1,"v":"5","w":"new"}"#]);
    sink.write(&batch(&list, 0)).await.unwrap();
    for (place, change) in [
        "ALTER TABLE t ALTER v TYPE int4 USING v::int4",
        "DROP TABLE t; CREATE TABLE t (id int4 PRIMARY KEY, v text, w text)",
        "ALTER TABLE t DROP v",
    ]
    .iter()
    .enumerate()
    {
        database.run(change).await;
        sink.write(&batch(&list, place as i64 + 1))
            .await
            .unwrap_or_else(|failure| panic!("{change}: {failure}"));
    }
    assert_eq!(database.text("SELECT * FROM t").await, "(1,new)");
    database.run("DROP TABLE t").await;
    let failure = sink.write(&batch(&list, 4)).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Fatal(cause) if cause.message.contains("does not exist")),
        "{failure}"
    );
    database.drop().await;
}

#[tokio::test]
async fn copy_notices_a_changed_type() {
    let mut database = Database::new("CREATE TABLE t (id int8, v int4)").await;
    let mut sink = open(&database.url(), "[[tables]]\ntable = \"t\"").await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1,"v":5}"#]);
    sink.write(&batch(&list, 0)).await.unwrap();
    let changes = [
        "ALTER TABLE t ALTER v TYPE int8",
        // As long as an int8, so that COPY itself would notice nothing.
        "ALTER TABLE t ALTER v TYPE float8",
        "ALTER TABLE t DROP v",
        "DROP TABLE t; CREATE TABLE t (v float4, id float8)",
    ];
    for (place, change) in changes.iter().enumerate() {
        database.run(change).await;
        let written = sink.write(&batch(&list, place as i64 + 1)).await;
        written.unwrap_or_else(|failure| panic!("{change}: {failure}"));
        assert_eq!(
            database.text("SELECT DISTINCT id FROM t").await,
            "(1)",
            "{change}"
        );
        let columns =
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'v'";
        if database.text(columns).await == "(1)" {
            assert_eq!(
                database.text("SELECT DISTINCT v FROM t").await,
                "(5)",
                "{change}"
            );
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn a_missing_parent_is_waited_for() {
    let mut database = Database::new(
        "CREATE TABLE parents (id int8 PRIMARY KEY); CREATE TABLE t (id int8, parent int8 REFERENCES parents)",
    )
    .await;
    let list = records(&[r#"{"id":1,"parent":7}"#, r#"{"id":2}"#]);
    let mut patient = open(&database.url(), "[[tables]]\ntable = \"t\"").await;
    patient.resume(&[partition(0)]).await.unwrap();
    let failure = patient.write(&batch(&list, 0)).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Retry(cause) if cause.code.as_deref() == Some("23503")),
        "{failure}"
    );
    database.run("INSERT INTO parents VALUES (7)").await;
    patient.write(&batch(&list, 0)).await.unwrap();
    // Once the time is over, the batch and its halves are refused without another wait.
    let list = records(&[r#"{"id":1,"parent":8}"#, r#"{"id":2,"parent":9}"#]);
    let hasty = "missing_parent = \"0s\"\n[[tables]]\ntable = \"t\"";
    let mut hasty = open(&database.url(), hasty).await;
    hasty.resume(&[partition(0)]).await.unwrap();
    let failure = hasty.write(&batch(&list, 2)).await.unwrap_err();
    let Failure::Refused(refused) = &failure else {
        panic!("{failure}")
    };
    assert_eq!(refused.len(), 2, "{failure}");
    let part = batch_of(vec![&list[0]], 0, 2, 3);
    let failure = hasty.write(&part).await.unwrap_err();
    assert!(matches!(failure, Failure::RefusedSomewhere(_)), "{failure}");
    database.drop().await;
}

#[tokio::test]
async fn timeouts_are_outages_and_twice_too_much() {
    let mut database = Database::new(
        "CREATE TABLE t (id int8);
         CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER sleep BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION sleep()",
    )
    .await;
    let toml = "statement_timeout = \"300ms\"\nlock_timeout = \"200ms\"\n[[tables]]\ntable = \"t\"";
    let mut sink = open(&database.url(), toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let slow = records(&[r#"{"id":5}"#]);
    let failure = sink.write(&batch(&slow, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    let failure = sink.write(&batch(&slow, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::TooMuch(_)), "{failure}");
    let quick = records(&[r#"{"id":0}"#]);
    database
        .run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        .await;
    for _ in 0..3 {
        let failure = sink.write(&batch(&quick, 0)).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Retry(cause) if cause.code.as_deref() == Some("55P03")),
            "{failure}"
        );
    }
    database.run("COMMIT").await;
    sink.write(&batch(&quick, 0)).await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn migrations_run_once_for_all() {
    let mut database = Database::new("SELECT").await;
    let folder = std::env::temp_dir().join(&database.name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("0001_t.sql"),
        "CREATE TABLE t (id int8); CREATE TABLE u (id int8);",
    )
    .unwrap();
    let toml = format!(
        "migrations = \"{}\"\n[[tables]]\ntable = \"t\"",
        folder.display()
    );
    let url = database.url();
    let opening = (0..4).map(|_| {
        let (url, toml) = (url.clone(), toml.clone());
        tokio::spawn(async move { open(&url, &toml).await })
    });
    for task in opening.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    write_all(&url, &toml, &[r#"{"id":1}"#]).await.unwrap();
    assert_eq!(
        database
            .text("SELECT count(*), (SELECT count(*) FROM _sqlx_migrations) FROM t")
            .await,
        "(1,1)"
    );
    std::fs::write(folder.join("0002_bad.sql"), "CREATE TABLE u (id int8);").unwrap();
    let message = refusal_to_open(&url, &toml).await;
    assert!(
        message.contains("migration 2 of") && message.contains("42P07"),
        "{message}"
    );
    std::fs::remove_file(folder.join("0002_bad.sql")).unwrap();
    std::fs::write(folder.join("0001_t.sql"), "SELECT 1").unwrap();
    let message = refusal_to_open(&url, &toml).await;
    assert!(message.contains("migration 1 was run before"), "{message}");
    std::fs::remove_dir_all(&folder).unwrap();
    database.drop().await;
}

#[tokio::test]
async fn the_culprits_are_found_and_nothing_else_is_lost() {
    for mode in ["insert", "upsert"] {
        let mut database =
            Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v int4 CHECK (v <> 13))").await;
        let values: Vec<String> = (0..200_i64)
            .map(|id| match id {
                17 | 18 | 150 => format!(r#"{{"id":{id},"v":13}}"#),
                40 => r#"{"id":40,"v":"x"}"#.to_owned(),
                // The winner of its key is bad: the earlier version must be written.
                199 => r#"{"id":100,"v":13}"#.to_owned(),
                _ => format!(r#"{{"id":{id},"v":1}}"#),
            })
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let list = records(&values);
        let toml = match mode {
            "insert" => "[[tables]]\ntable = \"t\"",
            _ => "[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]",
        };
        let mut sink = open(&database.url(), toml).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let mut refused = Vec::new();
        bisect(&mut sink, list.iter().collect(), (0, 200), &mut refused).await;
        let mut refused: Vec<i64> = refused.into_iter().map(|(offset, _)| offset).collect();
        refused.sort_unstable();
        assert_eq!(refused, [17, 18, 40, 150, 199], "{mode}");
        assert_eq!(
            database.text("SELECT count(*), sum(v), (SELECT max(next_offset) FROM connect_progress) FROM t").await,
            "(195,195,200)",
            "{mode}"
        );
        database.drop().await;
    }
}
