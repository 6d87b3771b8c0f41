//! A predecessor that is frozen in the middle of a COPY holds the rows of progress: whoever takes over ends its session,
//! and no other.

use std::time::{Duration, Instant};

use connect_api::{Failure, Sink};
use connect_sink_postgres::PostgresSink;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgCopyIn};
use sqlx::{ConnectOptions, Executor};

use crate::support::*;

const TABLE: &str = "CREATE TABLE sales (id int8)";
const INSERT: &str = "[[tables]]\ntable = \"sales\"";
/// A little more than a session may wait for its client.
const LONG: Duration = Duration::from_secs(14);

/// A session that holds the progress of partition 0, as a batch does.
async fn holder(url: &str, name: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    let options = options.application_name(name).disable_statement_logging();
    let mut session = options.connect().await.unwrap();
    session
        .execute(
            "BEGIN; SELECT FROM connect_progress WHERE partition = 0 FOR UPDATE;
             UPDATE connect_progress SET next_offset = 999 WHERE partition = 0",
        )
        .await
        .unwrap();
    session
}

async fn copy(session: &mut PgConnection) -> PgCopyIn<&mut PgConnection> {
    let mut copy = session.copy_in_raw("COPY sales FROM STDIN").await.unwrap();
    copy.send(&b"1\n"[..]).await.unwrap();
    copy
}

/// A database with two records written by a connector that is gone now.
async fn begun() -> Database {
    let database = Database::new(TABLE).await;
    let values = [r#"{"id":1}"#, r#"{"id":2}"#];
    write_all(&database.url(), INSERT, &values).await.unwrap();
    database
}

/// Asks again and again, as the engine does, until the partition is taken over or that has lasted for too long.
async fn insist(sink: &mut PostgresSink, limit: Duration) -> Option<Option<i64>> {
    let began = Instant::now();
    while began.elapsed() < limit {
        match sink.resume(&[partition(0)]).await {
            Ok(resumed) => return Some(resumed[0]),
            Err(Failure::Retry(cause)) => assert_eq!(cause.code.as_deref(), Some("55P03")),
            Err(other) => panic!("{other}"),
        }
    }
    None
}

#[tokio::test]
async fn a_predecessor_frozen_in_a_copy_is_ended() {
    let mut database = begun().await;
    // A role that may do no more than it must.
    let role = format!("r{}", &database.name[13..]);
    database
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'secret';
             GRANT SELECT, INSERT, UPDATE ON connect_progress TO {role}; GRANT INSERT ON sales TO {role}"
        ))
        .await;
    let url = database.url();
    let (_, address) = url.rsplit_once('@').unwrap();
    let url = format!("postgres://{role}:secret@{address}");
    let mut session = holder(&url, "connect/test").await;
    let frozen = copy(&mut session).await;
    let mut sink = open(&url, INSERT).await;
    let began = Instant::now();
    let resumed = insist(&mut sink, Duration::from_secs(60)).await;
    assert_eq!(resumed, Some(Some(2)));
    let lasted = began.elapsed();
    assert!(
        (Duration::from_secs(10)..Duration::from_secs(20)).contains(&lasted),
        "{lasted:?}"
    );
    sink.write(&batch(&records(&[r#"{"id":3}"#]), 2))
        .await
        .unwrap();
    // It thaws: nothing of its transaction is left.
    frozen.finish().await.unwrap_err();
    let rows = "SELECT count(*), (SELECT max(next_offset) FROM connect_progress) FROM sales";
    assert_eq!(database.text(rows).await, "(3,3)");
    sink.close().await.unwrap();
    database
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    database.drop().await;
}

#[tokio::test]
async fn a_connection_that_was_cut_off_in_a_copy_is_ended() {
    let mut database = begun().await;
    let mut sink = open(&database.url(), INSERT).await;
    assert_eq!(sink.resume(&[partition(0)]).await.unwrap(), [Some(2)]);
    // The client notices that its connection is gone, the server does not.
    database
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connect/test' AND datname = current_database()")
        .await;
    let mut session = holder(&database.url(), "connect/test").await;
    let cut_off = copy(&mut session).await;
    let list = records(&[r#"{"id":3}"#]);
    let began = Instant::now();
    while let Err(failure) = sink.write(&batch(&list, 2)).await {
        assert!(matches!(failure, Failure::Retry(_)), "{failure}");
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    cut_off.finish().await.unwrap_err();
    assert_eq!(database.text("SELECT count(*) FROM sales").await, "(3)");
    database.drop().await;
}

/// They take as long as it takes to know, all at once.
#[tokio::test]
async fn nobody_else_is_ended() {
    tokio::join!(
        a_predecessor_that_is_only_slow(),
        a_predecessor_that_works_within_a_statement(),
        a_session_of_another_connector(),
    );
}

async fn a_predecessor_that_is_only_slow() {
    let database = begun().await;
    let mut session = holder(&database.url(), "connect/test").await;
    let mut slow = copy(&mut session).await;
    let mut sink = open(&database.url(), INSERT).await;
    let began = Instant::now();
    while began.elapsed() < LONG {
        assert_eq!(insist(&mut sink, Duration::from_secs(1)).await, None);
        slow.send(&b"2\n"[..]).await.unwrap();
    }
    slow.finish().await.unwrap();
    session.execute("COMMIT").await.unwrap();
    assert_eq!(
        insist(&mut sink, LONG).await,
        Some(Some(999)),
        "its COMMIT counts"
    );
    database.drop().await;
}

async fn a_predecessor_that_works_within_a_statement() {
    let database = begun().await;
    let mut session = holder(&database.url(), "connect/test").await;
    let working = tokio::spawn(async move {
        let work = format!("SELECT pg_sleep({})", LONG.as_secs());
        session.execute(work.as_str()).await.unwrap();
        session.execute("COMMIT").await.unwrap();
    });
    let mut sink = open(&database.url(), INSERT).await;
    let resumed = insist(&mut sink, 2 * LONG).await;
    assert_eq!(resumed, Some(Some(999)));
    working.await.unwrap();
    database.drop().await;
}

async fn a_session_of_another_connector() {
    let database = begun().await;
    let mut session = holder(&database.url(), "connect/another").await;
    let others = copy(&mut session).await;
    let mut sink = open(&database.url(), INSERT).await;
    assert_eq!(insist(&mut sink, LONG).await, None);
    others.finish().await.unwrap();
    session.execute("COMMIT").await.unwrap();
    assert_eq!(insist(&mut sink, LONG).await, Some(Some(999)));
    database.drop().await;
}
