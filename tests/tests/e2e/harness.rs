//! The harness itself, on the real servers: its reports about a fault must be true.

use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::load::{SteadyLoad, produce_payments};
use connect_tests::proxy::Proxy;
use connect_tests::{eventually, servers};
use sqlx::{Connection, PgConnection};

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_what_the_topic_holds() {
    let _turn = servers::shared().await;
    let topic = Topic::create("ledger", 3).await;
    let ledger = produce_payments(&topic, 3, 5_000).await;
    let messages = topic.read(Isolation::Committed).await;
    assert_eq!(messages.len(), 5_000);
    for message in messages {
        let id = message.json()["id"].as_str().unwrap().to_owned();
        let entry = ledger.entries().find(|entry| entry.id == id).unwrap();
        assert_eq!(
            (entry.place.partition, entry.place.offset),
            (message.partition, message.offset)
        );
    }
    let load = SteadyLoad::start(&topic, 3, 1_000.0);
    eventually("the load flows", Duration::from_secs(20), async || {
        (topic.read(Isolation::Committed).await.len() > 6_000).then_some(())
    })
    .await;
    let ledger = load.stop().await;
    assert_eq!(
        topic.read(Isolation::Committed).await.len(),
        5_000 + ledger.len()
    );
}

/// Tries to commit one row through the proxy.
async fn commit_through(proxy: &Proxy, database: &Database) -> Result<(), sqlx::Error> {
    let mut client = PgConnection::connect(&database.url_through(proxy.address())).await?;
    let mut transaction = client.begin().await?;
    sqlx::query("INSERT INTO fact VALUES (1)")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_cuts_the_answer_after_the_commit_and_the_commit_before_it() {
    let _turn = servers::shared().await;
    let database = Database::create().await;
    database.execute("CREATE TABLE fact (number integer)").await;
    let proxy = Proxy::before_postgres().await;
    commit_through(&proxy, &database)
        .await
        .expect("nothing is ordered yet");
    assert_eq!(database.count("fact").await, 1);
    proxy.cut_every_answer_to_commit(1);
    commit_through(&proxy, &database)
        .await
        .expect_err("the answer is cut");
    assert_eq!(database.count("fact").await, 2, "the server has committed");
    proxy.cut_every_commit(1);
    commit_through(&proxy, &database)
        .await
        .expect_err("the commit is cut");
    assert_eq!(
        database.count("fact").await,
        2,
        "the server was not asked to commit"
    );
    assert_eq!(proxy.cuts(), 2);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_leaves_no_database_behind() {
    let _turn = servers::shared().await;
    let witness = Database::create().await;
    let database = Database::create().await;
    let (url, role) = database.role("left", "secret").await;
    let (_, name) = url.rsplit_once('/').unwrap();
    let left = format!(
        "SELECT (SELECT count(*) FROM pg_database WHERE datname = '{name}')
              + (SELECT count(*) FROM pg_roles WHERE rolname = '{role}')"
    );
    assert_eq!(witness.try_number(&left).await, Some(2));
    let failed = tokio::spawn(async move {
        let _database = database;
        panic!("as a failing test does");
    });
    assert!(failed.await.unwrap_err().is_panic());
    assert_eq!(witness.try_number(&left).await, Some(0));
    witness.remove().await;
}
