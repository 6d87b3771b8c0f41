//! A table is swapped by rename under load, as in a migration without an outage: each row is in the table that had
//! the name when it was written, with the value that was sent.

use connect_tests::kafka::Topic;
use connect_tests::load::SteadyLoad;
use connect_tests::process::Launch;
use connect_tests::servers;

use crate::payments;

/// Types of equal width, so that binary values of one would be misread as the other.
const TYPES: [&str; 4] = ["float8", "bigint", "float8", "bigint"];

#[tokio::test(flavor = "multi_thread")]
async fn a_table_swapped_by_rename_gets_what_was_sent() {
    let _turn = servers::shared().await;
    let topic = Topic::create("swapped", 3).await;
    let database = payments::database().await;
    let folder = payments::folder();
    folder.connector("swapped", payments::connector(&topic, "", ""));
    let load = SteadyLoad::start(&topic, 3, 1_000.0);
    let mut process = Launch::run(&folder).database(database.url()).start();
    for (number, column_type) in TYPES.iter().enumerate() {
        payments::rows(&database, 500).await;
        // `arrived` continues to count in the sequence that all tables share.
        database
            .execute(&format!(
                "BEGIN; CREATE TABLE next (LIKE payments INCLUDING ALL);
                 ALTER TABLE next ALTER sequence TYPE {column_type};
                 ALTER TABLE payments RENAME TO payments_{number};
                 ALTER TABLE next RENAME TO payments; COMMIT"
            ))
            .await;
    }
    payments::rows(&database, 500).await;
    let ledger = load.stop().await;
    for number in 0..TYPES.len() {
        // The checker reads one table.
        database
            .execute(&format!(
                "INSERT INTO payments SELECT * FROM payments_{number}"
            ))
            .await;
    }
    payments::verdict(&ledger, &database, None)
        .await
        .assert_clean();
    assert_eq!(process.stop(payments::SETTLED).await, 0);
    database.remove().await;
}
