//! The suite that every progress store passes, with answers to COMMIT that are lost on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connect_api::{Failure, Sink, SinkContext, SinkPlugin, async_trait};
use connect_sink_postgres::Postgres;
use connect_testkit::conformance::{ProgressStoreUnderTest, check_progress_store};

use crate::progress::cutting_proxy;
use crate::support::*;

const SALES: &str = r##"[[tables]]
table = "sales"
[tables.columns]
partition = "#partition"
"offset" = "#offset"
"##;

struct Store {
    database: Database,
    /// By way of the proxy.
    url: String,
    cuts: Arc<AtomicBool>,
    commit_passes: Arc<AtomicBool>,
}

#[async_trait]
impl ProgressStoreUnderTest for Store {
    async fn open(&mut self, connector: &str, sink: &str) -> Result<Box<dyn Sink>, Failure> {
        let context = SinkContext {
            sink: sink.into(),
            ..context(connector)
        };
        Ok(Box::new(
            Postgres::open(&config(&self.url, SALES), context).await?,
        ))
    }

    async fn delivered(&mut self) -> Vec<(i32, i64)> {
        let places = sqlx::query_as(r#"SELECT partition, "offset" FROM sales"#);
        places
            .fetch_all(&mut self.database.connection)
            .await
            .unwrap()
    }

    async fn lose_next_answer(&mut self, takes_effect: bool) -> bool {
        self.commit_passes.store(takes_effect, Ordering::SeqCst);
        self.cuts.store(true, Ordering::SeqCst);
        true
    }
}

#[tokio::test]
async fn progress_keeps_the_promises_of_a_store() {
    let database = Database::new(r#"CREATE TABLE sales (partition int4, "offset" int8)"#).await;
    let (cuts, commit_passes) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let port = cutting_proxy(cuts.clone(), commit_passes.clone()).await;
    let url = format!("{}?sslmode=disable", database.url_at(Some(port)));
    let mut store = Store {
        database,
        url,
        cuts,
        commit_passes,
    };
    check_progress_store(&mut store).await;
    assert!(!store.cuts.load(Ordering::SeqCst), "each loss was met");
    store.database.drop().await;
}
