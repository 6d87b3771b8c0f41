//! Modes, keys, defaults, missing fields.

use connect_api::{Resume, Sink};

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
    assert_eq!(
        sink.resume(&[partition(0)]).await.unwrap(),
        [Resume::NoProgress]
    );
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
    assert_eq!(sink.resume(&[partition(0)]).await.unwrap(), [Resume::At(4)]);
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
