//! What a record's rows may take: with `each`, a long value is in the row of every element.

use connect_api::{Failure, Sink};

use crate::support::*;

fn sale(note: usize, items: usize) -> String {
    let items = vec![r#"{"sku":1}"#; items].join(",");
    format!(r#"{{"note":"{}","items":[{items}]}}"#, "x".repeat(note))
}

#[tokio::test]
async fn a_record_whose_rows_are_too_large_is_refused_and_a_batch_is_halved() {
    for mode in ["insert", "upsert"] {
        let mut database = Database::new(
            "CREATE TABLE items (note text, sku int, place int, PRIMARY KEY (sku, place))",
        )
        .await;
        let key = if mode == "upsert" {
            "key = [\"sku\", \"place\"]"
        } else {
            ""
        };
        let toml = format!(
            r##"
            [[tables]]
            table = "items"
            mode = "{mode}"
            {key}
            each = "$.items[*]"
            columns = {{ note = "$.note", sku = "@.sku", place = "#index" }}
            "##
        );
        let mut sink = open(&database.url(), &toml).await;
        // 600 KB that would become 30 GB.
        let list = records(&[&sale(10, 1), &sale(300_000, 100_000), &sale(10, 2)]);
        let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
        let Failure::Refused(refused) = failure else {
            panic!("{mode}: {failure}");
        };
        assert_eq!(refused.len(), 1, "{mode}");
        assert_eq!(refused[0].record, 1, "{mode}");
        let reason = refused[0].cause.to_string();
        assert!(
            reason.contains("larger than 64 MiB") && reason.contains("maxItems"),
            "{reason}"
        );

        // 30 MiB each, which no record is too large for.
        let large = sale(100_000, 300);
        let list = records(&[&*large; 6]);
        let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
        assert!(matches!(failure, Failure::TooMuch(_)), "{mode}: {failure}");
        let list = records(&[&large]);
        sink.write(&batch(&list, 0)).await.unwrap();
        let rows = database
            .text("SELECT count(*), sum(length(note)) FROM items")
            .await;
        assert_eq!(rows, "(300,30000000)", "{mode}");
        sink.close().await.unwrap();
        database.drop().await;
    }
}
