//! Exactly once: fencing, lost answers, killed sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connect_api::{
    Failure, OtherProgress, Position, Sink, SinkContext, SinkPlugin, TopicPartition,
};
use connect_sink_postgres::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

const TABLE: &str = "CREATE TABLE sales (id int8)";
const INSERT: &str = "[[tables]]\ntable = \"sales\"";
const COUNT: &str = "SELECT count(*), (SELECT max(next_offset) FROM connect_progress) FROM sales";

#[tokio::test]
async fn a_zombie_stops_before_it_writes() {
    let mut database = Database::new(TABLE).await;
    let list = records(&[r#"{"id":1}"#]);
    let mut old = open(&database.url(), INSERT).await;
    old.resume(&[partition(0)]).await.unwrap();
    old.write(&batch(&list, 0)).await.unwrap();
    let mut new = open(&database.url(), INSERT).await;
    assert_eq!(new.resume(&[partition(0)]).await.unwrap(), [Some(1)]);
    let failure = old.write(&batch(&list, 1)).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    new.write(&batch(&list, 1)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(2,2)");
    // Asked to resume, the old one may take it back.
    assert_eq!(old.resume(&[partition(0)]).await.unwrap(), [Some(2)]);
    old.write(&batch(&list, 2)).await.unwrap();
    let failure = new.write(&batch(&list, 2)).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    assert_eq!(database.text(COUNT).await, "(3,3)");
    database.drop().await;
}

#[tokio::test]
async fn two_that_both_begin_write_once() {
    let mut database = Database::new(TABLE).await;
    let list = records(&[r#"{"id":1}"#]);
    let mut one = open(&database.url(), INSERT).await;
    let mut two = open(&database.url(), INSERT).await;
    assert_eq!(one.resume(&[partition(0)]).await.unwrap(), [None]);
    assert_eq!(two.resume(&[partition(0)]).await.unwrap(), [None]);
    let failure = one.write(&batch(&list, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    two.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(1,1)");
    database.drop().await;
}

#[tokio::test]
async fn one_lost_partition_rolls_the_whole_batch_back() {
    let mut database = Database::new(TABLE).await;
    let list = records(&[r#"{"id":1}"#, r#"{"id":2}"#]);
    let mut old = open(&database.url(), INSERT).await;
    old.resume(&[partition(0), partition(1)]).await.unwrap();
    let mut new = open(&database.url(), INSERT).await;
    new.resume(&[partition(1)]).await.unwrap();
    let mut both = batch_of(list.iter().collect(), 0, 0, 1);
    both.progress.extend(batch_of(Vec::new(), 1, 0, 1).progress);
    let failure = old.write(&both).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    assert_eq!(database.text("SELECT count(*) FROM sales").await, "(0)");
    old.write(&batch_of(vec![&list[0]], 0, 0, 1)).await.unwrap();
    assert_eq!(database.text("SELECT count(*) FROM sales").await, "(1)");
    database.drop().await;
}

#[tokio::test]
async fn a_batch_that_does_not_begin_where_progress_stands_is_superseded() {
    let mut database = Database::new(TABLE).await;
    let list = records(&[r#"{"id":1}"#, r#"{"id":2}"#]);
    let mut sink = open(&database.url(), INSERT).await;
    sink.resume(&[partition(0)]).await.unwrap();
    sink.write(&batch_of(list.iter().collect(), 0, 40, 50))
        .await
        .unwrap();
    for (expected, next) in [(0, 2), (49, 51), (51, 53)] {
        let failure = sink
            .write(&batch_of(list.iter().collect(), 0, expected, next))
            .await
            .unwrap_err();
        assert!(
            matches!(failure, Failure::Superseded(_)),
            "{expected}: {failure}"
        );
    }
    // Progress without a record, as after filters and dead letters.
    sink.write(&batch_of(Vec::new(), 0, 50, 60)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(2,60)");
    database.drop().await;
}

fn at(partition: TopicPartition, next: i64) -> Position {
    Position { partition, next }
}

#[tokio::test]
async fn progress_can_be_shown_and_set() {
    let mut database = Database::new(TABLE).await;
    let mut running = open(&database.url(), INSERT).await;
    running.resume(&[partition(0)]).await.unwrap();
    let mut shown = open(&database.url(), INSERT).await;
    let partitions = [partition(0), partition(1)];
    assert_eq!(shown.stored(&partitions).await.unwrap(), [None, None]);
    let list = records(&[r#"{"id":1}"#]);
    running.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(shown.stored(&partitions).await.unwrap(), [Some(1), None]);
    shown
        .store(&[at(partition(0), 7), at(partition(1), 9)])
        .await
        .unwrap();
    assert_eq!(shown.stored(&partitions).await.unwrap(), [Some(7), Some(9)]);
    let failure = running.write(&batch(&list, 1)).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    assert_eq!(
        running.resume(&partitions).await.unwrap(),
        [Some(7), Some(9)]
    );
    let toml = format!("delivery = \"at_least_once\"\n{INSERT}");
    let mut other = open(&database.url(), &toml).await;
    assert!(other.progress_store().is_none());
    other.write(&batch(&list, 0)).await.unwrap();
    other.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(3,9)");
    database.drop().await;
}

#[tokio::test]
async fn progress_under_other_names_is_found_where_there_is_none_of_its_own() {
    let database = Database::new(TABLE).await;
    let as_connector = async |name: &str| {
        let opened = Postgres::open(&config(&database.url(), INSERT), context(name)).await;
        opened.unwrap()
    };
    let of = |topic: &str, number| TopicPartition {
        topic: topic.into(),
        partition: number,
    };
    let other = |connector: &str, partition: TopicPartition, next| OtherProgress {
        connector: connector.into(),
        sink: "postgres".into(),
        partition,
        next,
    };
    let topics: [Arc<str>; 2] = ["sales".into(), "visits".into()];
    let mut old = as_connector("old").await;
    old.store(&[
        at(partition(1), 480),
        at(partition(0), 500),
        at(of("visits", 0), 7),
        at(of("elsewhere", 0), 1),
    ])
    .await
    .unwrap();
    let mut older = as_connector("older").await;
    older.store(&[at(partition(0), 3)]).await.unwrap();
    // Taken over and never written: no progress.
    older.resume(&[of("visits", 0)]).await.unwrap();
    let mut new = as_connector("new").await;
    new.resume(&[partition(0), of("visits", 0)]).await.unwrap();
    let all = [
        other("old", partition(0), 500),
        other("old", partition(1), 480),
        other("old", of("visits", 0), 7),
        other("older", partition(0), 3),
    ];
    assert_eq!(new.of_other_names(&topics).await.unwrap(), all);
    assert_eq!(new.of_other_names(&[]).await.unwrap(), []);
    // Once it has begun with a topic, nobody asks about that one any more.
    new.store(&[at(partition(2), 0)]).await.unwrap();
    let rest = [other("old", of("visits", 0), 7)];
    assert_eq!(new.of_other_names(&topics).await.unwrap(), rest);
    // A sink of another name, in the same connector: it finds what the connector's other sinks have, and nothing more.
    let renamed = SinkContext {
        sink: "renamed".into(),
        ..context("older")
    };
    let opened = Postgres::open(&config(&database.url(), INSERT), renamed).await;
    let mut renamed = opened.unwrap();
    let own = [other("older", partition(0), 3)];
    assert_eq!(renamed.of_other_names(&topics).await.unwrap(), own);
    // Another cluster's offsets mean something else.
    let elsewhere = SinkContext {
        cluster_id: "another".into(),
        ..context("new")
    };
    let opened = Postgres::open(&config(&database.url(), INSERT), elsewhere).await;
    let mut elsewhere = opened.unwrap();
    assert_eq!(elsewhere.of_other_names(&topics).await.unwrap(), []);
    database.drop().await;
}

/// A proxy that, once armed, cuts both ways as soon as the client sends `COMMIT`; the COMMIT itself passes or not.
pub(crate) async fn cutting_proxy(armed: Arc<AtomicBool>, commit_passes: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (armed, commit_passes) = (armed.clone(), commit_passes.clone());
            tokio::spawn(async move {
                let server = TcpStream::connect(server_address()).await.unwrap();
                relay(client, server, &armed, &commit_passes).await;
            });
        }
    });
    port
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    armed: &AtomicBool,
    commit_passes: &AtomicBool,
) {
    let (mut upward, mut downward) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut upward) => {
                let Ok(count) = read else { return };
                if count == 0 {
                    return;
                }
                let sent = &upward[..count];
                let is_commit = sent.windows(7).any(|window| window == b"COMMIT\0");
                if is_commit && armed.swap(false, Ordering::SeqCst) {
                    if commit_passes.load(Ordering::SeqCst) {
                        server.write_all(sent).await.unwrap();
                        // The server's answer proves that it is committed; the client never sees it.
                        assert!(server.read(&mut downward).await.unwrap() > 0);
                    }
                    return;
                }
                server.write_all(sent).await.unwrap();
            }
            read = server.read(&mut downward) => {
                let Ok(count) = read else { return };
                if count == 0 || client.write_all(&downward[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_looked_up() {
    for (commit_passes, resumes) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut database = Database::new(TABLE).await;
        let armed = Arc::new(AtomicBool::new(false));
        let port = cutting_proxy(armed.clone(), Arc::new(commit_passes.into())).await;
        let url = format!("{}?sslmode=disable", database.url_at(Some(port)));
        let mut sink = open(&url, INSERT).await;
        sink.resume(&[partition(0)]).await.unwrap();
        let list = records(&[r#"{"id":1}"#, r#"{"id":2}"#]);
        sink.write(&batch(&list, 0)).await.unwrap();
        armed.store(true, Ordering::SeqCst);
        let failure = sink.write(&batch(&list, 2)).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry(_)), "{failure}");
        if resumes {
            let expected = if commit_passes { 4 } else { 2 };
            assert_eq!(
                sink.resume(&[partition(0)]).await.unwrap(),
                [Some(expected)]
            );
        }
        // The same batch again: written if it was lost, and Ok without a second row if it was not. Who was told to go on
        // behind it has no reason to send it.
        if resumes && commit_passes {
            let failure = sink.write(&batch(&list, 2)).await.unwrap_err();
            assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
        } else {
            sink.write(&batch(&list, 2)).await.unwrap();
        }
        assert_eq!(database.text(COUNT).await, "(4,4)");
        sink.write(&batch(&list, 4)).await.unwrap();
        assert_eq!(database.text(COUNT).await, "(6,6)");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_successor_during_a_lost_connection_is_noticed() {
    let mut database = Database::new(TABLE).await;
    let armed = Arc::new(AtomicBool::new(false));
    let port = cutting_proxy(armed.clone(), Arc::new(false.into())).await;
    let url = format!("{}?sslmode=disable", database.url_at(Some(port)));
    let mut sink = open(&url, INSERT).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1}"#]);
    armed.store(true, Ordering::SeqCst);
    sink.write(&batch(&list, 0)).await.unwrap_err();
    let mut successor = open(&database.url(), INSERT).await;
    successor.resume(&[partition(0)]).await.unwrap();
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Superseded(_)), "{failure}");
    successor.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(1,1)");
    database.drop().await;
}

#[tokio::test]
async fn a_killed_session_is_an_outage() {
    let mut database = Database::new(
        "CREATE TABLE sales (id int8);
         CREATE FUNCTION kill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.id = 13 AND current_setting('application_name') = 'connect/test'
              AND NOT EXISTS (SELECT FROM survived) THEN
             PERFORM pg_terminate_backend(pg_backend_pid());
           END IF;
           RETURN NEW; END $$;
         CREATE TABLE survived ();
         CREATE TRIGGER kill BEFORE INSERT ON sales FOR EACH ROW EXECUTE FUNCTION kill()",
    )
    .await;
    let mut sink = open(&database.url(), INSERT).await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1}"#, r#"{"id":13}"#]);
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    database
        .run("ALTER TABLE survived ADD COLUMN yes int4; INSERT INTO survived VALUES (1)")
        .await;
    sink.write(&batch(&list, 0)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(2,2)");
    // Between two batches it is the same.
    database
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connect/test' AND datname = current_database()")
        .await;
    let failure = sink.write(&batch(&list, 2)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    sink.write(&batch(&list, 2)).await.unwrap();
    assert_eq!(database.text(COUNT).await, "(4,4)");
    database.drop().await;
}

#[tokio::test]
async fn many_open_at_once() {
    let mut database = Database::new(TABLE).await;
    let url = database.url();
    let opening = (0..8).map(|number| {
        let url = url.clone();
        tokio::spawn(async move {
            let mut sink = open(&url, INSERT).await;
            sink.resume(&[partition(number)]).await.unwrap();
            sink.write(&batch_of(Vec::new(), number, 0, 1))
                .await
                .unwrap();
        })
    });
    for task in opening.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        database
            .text("SELECT sum(next_offset) FROM connect_progress")
            .await,
        "(8)"
    );
    database.drop().await;
}
