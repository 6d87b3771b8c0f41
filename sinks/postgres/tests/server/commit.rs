//! What fails at COMMIT.

use std::sync::{Arc, Mutex};

use connect_api::{Failure, Sink};

use crate::support::*;

/// The warnings that the server sent.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice" && *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_deferred_constraint_fails_at_commit() {
    let mut database =
        Database::new("CREATE TABLE t (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)").await;
    let mut sink = open(&database.url(), "[[tables]]\ntable = \"t\"").await;
    sink.resume(&[partition(0)]).await.unwrap();
    let list = records(&[r#"{"id":1}"#, r#"{"id":1}"#]);
    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    let failure = sink.write(&batch(&list, 0)).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Refused(refused) if refused.len() == 1 && refused[0].record == 1),
        "{failure}"
    );
    drop(listening);
    // The server warns of a ROLLBACK when there is no transaction any more.
    assert_eq!(*warnings.0.lock().unwrap(), Vec::<String>::new());
    sink.write(&batch_of(vec![&list[0]], 0, 0, 1))
        .await
        .unwrap();
    assert_eq!(
        database
            .text("SELECT count(*), (SELECT max(next_offset) FROM connect_progress) FROM t")
            .await,
        "(1,1)"
    );
    database.drop().await;
}
