//! Modes, keys, defaults, missing fields.

use connect_api::{Failure, Sink};

use crate::support::*;

const SALES: &str = "CREATE TABLE sales (
    id int8 PRIMARY KEY, store text NOT NULL, total numeric(10,2), note text DEFAULT 'none', at timestamptz DEFAULT '2000-01-01Z')";

#[tokio::test]
async fn insert_keeps_every_row_and_progress() {
    let mut database = Database::new("CREATE TABLE sales (id int8, total numeric)").await;
    let toml = r#"
        [[tables]]
        table = "sales"
        columns = { id = "$.id", total = "$.total" }
    "#;
    let mut sink = open(&database.url(), toml).await;
    assert_eq!(sink.resume(&[partition(0)]).await.unwrap(), [None]);
    let list = records(&[
        r#"{"id":1,"total":1.50}"#,
        r#"{"id":1,"total":12345678901234567.89}"#,
    ]);
    sink.write(&batch(&list, 0)).await.unwrap();
    sink.write(&batch(&list, 2)).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(
        database.lines("SELECT id, total FROM sales").await,
        [
            "(1,1.50)",
            "(1,12345678901234567.89)",
            "(1,1.50)",
            "(1,12345678901234567.89)"
        ]
    );
    assert_eq!(
        database
            .text("SELECT cluster_id, connector, sink, topic, partition, next_offset, epoch FROM connect_progress")
            .await,
        "(cluster,test,postgres,sales,0,4,1)"
    );
    let mut sink = open(&database.url(), toml).await;
    assert_eq!(sink.resume(&[partition(0)]).await.unwrap(), [Some(4)]);
    sink.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn upsert_keeps_the_last_of_each_key() {
    let mut database = Database::new(SALES).await;
    let toml = r#"
        [[tables]]
        table = "sales"
        mode = "upsert"
        key = ["id"]
        columns = { id = "$.id", store = "$.store", total = "$.total", note = "$.note", at = { path = "$.at", unit = "s" } }
    "#;
    let values = [
        r#"{"id":2,"store":"b","total":1}"#,
        r#"{"id":1,"store":"a","total":1,"note":"x","at":0}"#,
        r#"{"id":"1","store":"a","total":2}"#,
        r#"{"id":1.0,"store":"a2","note":null}"#,
    ];
    write_all(&database.url(), toml, &values).await.unwrap();
    let expected = [
        r#"(1,a2,2.00,,"1970-01-01 00:00:00+00")"#,
        r#"(2,b,1.00,none,"2000-01-01 00:00:00+00")"#,
    ];
    database.run("SET timezone = 'UTC'").await;
    assert_eq!(
        database.lines("SELECT * FROM sales ORDER BY id").await,
        expected
    );
    // Again, now that all rows are there: a missing field leaves what the column has.
    write_all(&database.url(), toml, &[r#"{"id":1,"store":"c"}"#])
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT * FROM sales WHERE id = 1").await,
        r#"(1,c,2.00,,"1970-01-01 00:00:00+00")"#
    );
    database.drop().await;
}

#[tokio::test]
async fn insert_leaves_defaults_to_missing_fields() {
    let mut database = Database::new(
        "CREATE TABLE sales (n int8 GENERATED ALWAYS AS IDENTITY, id int8, note text DEFAULT 'none', twice int8 GENERATED ALWAYS AS (id * 2) STORED, \"Other\" text)",
    )
    .await;
    let toml = "[[tables]]\ntable = \"sales\"";
    let values = [
        r#"{"id":1,"note":"x","other":"o"}"#,
        r#"{"id":2,"unknown":true,"Other":"O"}"#,
        r#"{"id":3,"note":null}"#,
        r#"{"n":77,"note":"y"}"#,
    ];
    write_all(&database.url(), toml, &values).await.unwrap();
    assert_eq!(
        database
            .lines("SELECT id, note, twice, \"Other\" FROM sales ORDER BY id")
            .await,
        ["(1,x,2,o)", "(2,none,4,O)", "(3,,6,)", "(,y,,)"]
    );
    assert_eq!(
        database.text("SELECT n FROM sales WHERE note = 'y'").await,
        "(77)"
    );
    database.drop().await;
}

#[tokio::test]
async fn elements_become_rows_of_a_second_table() {
    let mut database = Database::new(
        "CREATE TABLE sales (id int8 PRIMARY KEY, store text);
         CREATE TABLE items (sale int8 REFERENCES sales, line int4, sku text, topic text, at timestamptz, PRIMARY KEY (sale, line))",
    )
    .await;
    let toml = r##"
        [[tables]]
        table = "sales"
        mode = "upsert"
        key = ["id"]
        columns = { id = "$.id", store = "$.store.name" }
        [[tables]]
        table = "items"
        mode = "upsert"
        key = ["sale", "line"]
        each = "$.items[*]"
        columns = { sale = "$.id", line = "#index", sku = "@.sku", topic = "#topic", at = "#timestamp" }
    "##;
    let values = [
        r#"{"id":1,"store":{"name":"a"},"items":[{"sku":"x"},{"sku":"y"}]}"#,
        r#"{"id":2,"store":{"name":"b"},"items":[]}"#,
        r#"{"id":3,"store":{"name":"c"}}"#,
        r#"{"id":1,"store":{"name":"d"},"items":[{"sku":"z"}]}"#,
    ];
    write_all(&database.url(), toml, &values).await.unwrap();
    assert_eq!(
        database.lines("SELECT * FROM sales ORDER BY id").await,
        ["(1,d)", "(2,b)", "(3,c)"]
    );
    assert_eq!(
        database
            .lines("SELECT sale, line, sku, topic, at = to_timestamp(1763670919.042) FROM items ORDER BY line")
            .await,
        ["(1,1,z,sales,t)", "(1,2,y,sales,t)"]
    );
    database.drop().await;
}

const UPDATE: &str = r#"
    [[tables]]
    table = "sales"
    mode = "update"
    key = ["id"]
    columns = { id = "$.id", store = "$.store", total = "$.total" }
"#;

#[tokio::test]
async fn update_writes_the_last_and_refuses_what_it_does_not_find() {
    let mut database = Database::new(SALES).await;
    database
        .run("INSERT INTO sales (id, store, total) VALUES (1, 'a', 1), (2, 'b', 2)")
        .await;
    let values = [
        r#"{"id":1,"store":"x","total":5}"#,
        r#"{"id":9,"total":5}"#,
        r#"{"id":1,"total":6}"#,
        r#"{"id":9,"store":"y"}"#,
    ];
    let failure = write_all(&database.url(), UPDATE, &values)
        .await
        .unwrap_err();
    let Failure::Refused(refusals) = failure else {
        panic!("{failure}");
    };
    assert_eq!(
        refusals
            .iter()
            .map(|refusal| refusal.record)
            .collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(
        database.text("SELECT total FROM sales WHERE id = 1").await,
        "(1.00)"
    );
    let ignoring = format!("{UPDATE}\nmissing_row = \"ignore\"");
    write_all(&database.url(), &ignoring, &values)
        .await
        .unwrap();
    assert_eq!(
        database
            .lines("SELECT id, store, total FROM sales ORDER BY id")
            .await,
        ["(1,x,6.00)", "(2,b,2.00)"]
    );
    database.drop().await;
}

#[tokio::test]
async fn deletes_and_upserts_of_one_key_keep_their_order() {
    let mut database = Database::new(SALES).await;
    database.run("INSERT INTO sales (id, store, note) SELECT n, 'old', 'kept?' FROM generate_series(1, 6) n").await;
    let toml = r##"
        [[tables]]
        table = "sales"
        mode = "upsert"
        key = ["id"]
        columns = { id = "#key.id", store = "$.store" }
    "##;
    let written = Some(r#"{"store":"new"}"#);
    let list = [
        record(0, Some(r#"{"id":1}"#), None),
        record(1, Some(r#"{"id":2}"#), None),
        record(2, Some(r#"{"id":2}"#), written),
        record(3, Some(r#"{"id":3}"#), written),
        record(4, Some(r#"{"id":3}"#), None),
        record(5, Some(r#"{"id":4}"#), written),
        record(6, Some(r#"{"id":77}"#), None),
    ];
    let mut sink = open(&database.url(), toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    sink.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(
        database
            .lines("SELECT id, store, note FROM sales ORDER BY id")
            .await,
        [
            "(2,new,none)",
            "(4,new,kept?)",
            "(5,old,kept?)",
            "(6,old,kept?)"
        ]
    );
    // A table whose key is in the value cannot tell what a tombstone deletes.
    let toml = toml.replace("#key.id", "$.id");
    let mut sink = open(&database.url(), &toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let failure = sink.write(&batch(&list[..1], 7)).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused(_)), "{failure}");
    database.drop().await;
}

#[tokio::test]
async fn delete_mode_shares_the_order_with_upsert() {
    let mut database = Database::new("CREATE TABLE t (id int8 PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
    let toml = r#"
        [[tables]]
        table = "t"
        mode = "delete"
        key = ["id"]
        columns = { id = "$.gone" }
    "#;
    write_all(
        &database.url(),
        toml,
        &[r#"{"gone":1}"#, r#"{"gone":2}"#, r#"{"gone":2}"#],
    )
    .await
    .unwrap();
    assert_eq!(database.lines("SELECT * FROM t").await, ["(3,c)"]);
    database.drop().await;
}

#[tokio::test]
async fn the_server_tells_the_last_where_bytes_do_not() {
    let mut database = Database::new("CREATE TABLE t (n numeric PRIMARY KEY, v text); CREATE TABLE a (k inet PRIMARY KEY, v text)").await;
    let toml = r#"
        [[tables]]
        table = "t"
        mode = "upsert"
        key = ["n"]
        [[tables]]
        table = "a"
        mode = "upsert"
        key = ["k"]
    "#;
    let values = [
        r#"{"n":1.0,"k":"10.0.0.1","v":"first"}"#,
        r#"{"n":1.00,"k":"10.0.0.1/32","v":"last"}"#,
        r#"{"n":0.5,"k":"10.0.0.2","v":"other"}"#,
    ];
    for _ in 0..2 {
        write_all(&database.url(), toml, &values).await.unwrap();
        assert_eq!(
            database.lines("SELECT v FROM t ORDER BY n").await,
            ["(other)", "(last)"]
        );
        assert_eq!(
            database.lines("SELECT v FROM a ORDER BY k").await,
            ["(last)", "(other)"]
        );
    }
    let update = toml.replace("upsert", "update");
    let values = [values[0], values[1], values[0]];
    write_all(&database.url(), &update, &values).await.unwrap();
    assert_eq!(
        database.lines("SELECT v FROM t ORDER BY n").await,
        ["(other)", "(first)"]
    );
    database.drop().await;
}

#[tokio::test]
async fn insert_goes_where_copy_cannot() {
    let mut database = Database::new(
        "CREATE TABLE base (id int8, v text, d text DEFAULT 'none'); CREATE VIEW shown AS SELECT * FROM base;
         CREATE TABLE ruled (id int8);
         CREATE RULE elsewhere AS ON INSERT TO ruled DO INSTEAD INSERT INTO base VALUES (-NEW.id, 'rule');
         CREATE TABLE parts (id int8, v text) PARTITION BY RANGE (id);
         CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10);",
    )
    .await;
    let toml = "[[tables]]\ntable = \"shown\"\n[[tables]]\ntable = \"parts\"\n[[tables]]\ntable = \"ruled\"";
    write_all(&database.url(), toml, &[r#"{"id":1,"v":"a"}"#])
        .await
        .unwrap();
    assert_eq!(
        database.lines("SELECT * FROM base ORDER BY id DESC").await,
        ["(1,a,none)", "(-1,rule,none)"]
    );
    assert_eq!(database.text("SELECT * FROM part1").await, "(1,a)");
    // No partition takes this row: the record's fault.
    let failure = write_all(&database.url(), toml, &[r#"{"id":10,"v":"a"}"#])
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::RefusedSomewhere(_)), "{failure}");
    database.drop().await;
}

#[tokio::test]
async fn a_pooler_gets_no_named_statements() {
    let mut database = Database::new(SALES).await;
    database.run("CREATE TYPE mood AS ENUM ('sad'); ALTER TABLE sales ADD mood mood, ADD tags text[], ADD address inet").await;
    let toml = r#"
        pooler = true
        [[tables]]
        table = "sales"
        mode = "upsert"
        key = ["id"]
    "#;
    let mut sink = open(&database.url(), toml).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1,"store":"a","mood":"sad","tags":["x"],"address":"10.0.0.1"}"#]);
    for round in 0..3 {
        sink.write(&batch(&list, round)).await.unwrap();
    }
    assert_eq!(
        database
            .text("SELECT store, mood, tags, address FROM sales")
            .await,
        "(a,sad,{x},10.0.0.1)"
    );
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_with_the_same_keys_do_not_deadlock() {
    const WRITERS: i32 = 8;
    const ROUNDS: i64 = 10;
    let mut database = Database::new(SALES).await;
    let before = database
        .text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .await;
    let url = database.url();
    let writing = (0..WRITERS).map(|number| {
        let url = url.clone();
        tokio::spawn(async move {
            let toml = "[[tables]]\ntable = \"sales\"\nmode = \"upsert\"\nkey = [\"id\"]";
            let mut sink = open(&url, toml).await;
            sink.resume(&[partition(number)]).await.unwrap();
            for round in 0..ROUNDS {
                // Each writer has the keys in an order of its own.
                let values: Vec<String> = (0..200)
                    .map(|place| (place * (2 * i64::from(number) + 3) + round) % 401)
                    .map(|id| format!(r#"{{"id":{id},"store":"{number}"}}"#))
                    .collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let list = records(&values);
                let progress = round * 200;
                sink.write(&batch_of(
                    list.iter().collect(),
                    number,
                    progress,
                    progress + 200,
                ))
                .await
                .unwrap();
            }
        })
    });
    for task in writing.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let after = database
        .text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .await;
    assert_eq!(before, after);
    database.drop().await;
}
