//! The PostgreSQL sink: writes rows by binary COPY and UNNEST, exactly once because progress is stored in their transaction.
//!
//! The path of a batch: [`encode`] turns records into rows, by the tables that [`catalog`] read and the columns that [`mapping`]
//! derived from the configuration; [`sink`] writes them in one transaction that begins with the compare-and-set of [`progress`];
//! [`sqlstate`] classifies the errors of the database.

mod apply;
mod catalog;
mod check;
mod coerce;
mod config;
mod connect;
mod copy;
mod encode;
mod entries;
mod evidence;
mod failure;
mod identifier;
mod lookup;
mod mapping;
mod migrate;
mod order;
mod orphans;
mod progress;
mod reduce;
mod rows;
mod sink;
mod sqlstate;
mod statement;
mod target;
mod transaction;
mod unnest;
mod verdict;

use connect_api::{
    CheckContext, Explanation, Failure, Finding, ProgressHome, SinkContext, SinkPlugin, async_trait,
};

pub use config::{
    ColumnSource, Config, DecimalFormat, Delivery, MissingRow, NaiveTime, NullCharacter,
    OnConflict, Orphans, SslMode, TableConfig, TimeUnit, WriteMode,
};
pub use sink::PostgresSink;

/// The plugin `postgres`.
pub struct Postgres;

#[async_trait]
impl SinkPlugin for Postgres {
    const NAME: &'static str = "postgres";
    const ABOUT: &'static str =
        "Rows of PostgreSQL tables: insert, upsert, update, delete; exactly once";
    const EXAMPLE: &'static str = r#"[[sinks]]
type = "postgres"
url = "${env:DATABASE_URL}"

[[sinks.tables]]
table = "sales"
mode = "upsert"
key = ["sale_id"]
columns = { sale_id = "$.id", sold_at = "$.timestamp", total = "$.total" }
"#;
    const EXPLANATIONS: &'static [Explanation] = check::EXPLANATIONS;

    type Config = Config;
    type Sink = PostgresSink;

    fn progress_home(config: &Config) -> ProgressHome {
        match config.delivery {
            Delivery::ExactlyOnce => ProgressHome::Sink,
            Delivery::AtLeastOnce => ProgressHome::Group,
        }
    }

    fn check(config: &Config, context: &CheckContext<'_>) -> Vec<Finding> {
        check::check(config, context)
    }

    async fn open(config: &Config, context: SinkContext) -> Result<PostgresSink, Failure> {
        PostgresSink::open(config, context).await
    }
}
