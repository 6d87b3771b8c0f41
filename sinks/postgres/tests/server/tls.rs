//! The server's certificate is checked, on a server that has one.

use connect_api::{Failure, Sink};

use crate::support::*;

#[tokio::test]
async fn the_certificate_is_verified_with_the_authority() {
    let mut database = Database::new("CREATE TABLE t (id int8)").await;
    let authority: String = sqlx::query_scalar("SHOW ssl_ca_file")
        .fetch_one(&mut database.connection)
        .await
        .unwrap();
    let url = database.url();
    let with =
        |ca: &str| format!("sslmode = \"verify-full\"\nca = \"{ca}\"\n[[tables]]\ntable = \"t\"");
    let mut sink = open(&url, &with(&authority)).await;
    let encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'connect/test' AND datname = current_database()";
    assert_eq!(database.text(encrypted).await, "(t)");
    sink.close().await.unwrap();
    let missing = try_open(&url, &with("/nowhere/ca.pem")).await.err();
    let Some(Failure::Fatal(cause)) = missing else {
        panic!("{missing:?}");
    };
    assert!(cause.message.contains("/nowhere/ca.pem"), "{cause}");
    database.drop().await;
}
