//! The suite that every sink passes.

use connect_api::{Failure, Record, Sink, async_trait};
use connect_testkit::conformance::{SinkUnderTest, check_sink};

use crate::support::*;

struct Sales {
    database: Database,
    toml: &'static str,
    is_idempotent: bool,
}

#[async_trait]
impl SinkUnderTest for Sales {
    async fn open(&mut self) -> Result<Box<dyn Sink>, Failure> {
        Ok(Box::new(try_open(&self.database.url(), self.toml).await?))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        let ids = sqlx::query_scalar("SELECT id FROM sales");
        ids.fetch_all(&mut self.database.connection).await.unwrap()
    }

    fn refused(&self, offset: i64) -> Option<Record> {
        Some(connect_testkit::record(offset, r#"{"id":"not a number"}"#))
    }

    fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }
}

#[tokio::test]
async fn insert_exactly_once() {
    let mut sales = Sales {
        database: Database::new("CREATE TABLE sales (id int8)").await,
        toml: "[[tables]]\ntable = \"sales\"",
        is_idempotent: false,
    };
    check_sink(&mut sales).await;
    sales.database.drop().await;
}

#[tokio::test]
async fn upsert_at_least_once() {
    let mut sales = Sales {
        database: Database::new("CREATE TABLE sales (id int8 PRIMARY KEY)").await,
        toml: "delivery = \"at_least_once\"\n[[tables]]\ntable = \"sales\"\nmode = \"upsert\"\nkey = [\"id\"]",
        is_idempotent: true,
    };
    check_sink(&mut sales).await;
    sales.database.drop().await;
}
