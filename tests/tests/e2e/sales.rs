//! Seed system: the point of sale. 100,000 simulated sales in six partitions reach three tables, and a fourth table
//! without a key, while the process is killed twenty times.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_tests::checker::{Digest, Entry, Evidence, Ledger, Place, Verdict};
use connect_tests::database::Database;
use connect_tests::kafka::{Isolation, Message, Topic};
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::{payments, shipped};

const SALES: i64 = 100_000;
const KILLS: usize = 20;

/// The second reader of the topic: every sale is one row, and a repeated sale would be two.
fn log_connector(topic: &Topic) -> String {
    format!(
        r##"topics = ["{}"]
tasks = 2
[value]
schema = "../schemas/pos-transaction/schema.json"
[[sinks]]
type = "postgres"
url = "${{env:DATABASE_URL}}"
[[sinks.tables]]
table = "sales_log"
mode = "insert"
[sinks.tables.columns]
id = "$.transaction_id"
customer = "$.customer.id"
payment_method = "$.payment_method"
total = "$.total"
topic = "#topic"
partition = "#partition"
offset = "#offset"
"##,
        topic.name()
    )
}

const LOG_TABLE: &str = r#"CREATE TABLE sales_log (
    arrived bigserial, id text, customer bigint, payment_method text, total numeric,
    topic text, partition integer, "offset" bigint
)"#;

const LOGGED: &str = r#"SELECT id, topic, partition, "offset",
    concat_ws('|', customer, payment_method, total) AS content FROM sales_log ORDER BY arrived"#;

/// The digits of a number in the message, including trailing zeros.
fn digits(message: &Message, field: &str) -> String {
    let text = std::str::from_utf8(message.value.as_deref().unwrap()).unwrap();
    let (_, rest) = text.rsplit_once(&format!("\"{field}\":")).unwrap();
    rest.trim_start()
        .chars()
        .take_while(|character| !",}".contains(*character))
        .collect()
}

fn cents(digits: &str) -> i64 {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    format!("{whole}{fraction:0<2}").parse().unwrap()
}

fn entry(topic: &Topic, message: &Message) -> Entry {
    let sale = message.json();
    let content = format!(
        "{}|{}|{}",
        sale["customer"]["id"],
        sale["payment_method"].as_str().unwrap(),
        digits(message, "total")
    );
    Entry::new(
        sale["transaction_id"].as_str().unwrap(),
        Place::new(topic.name(), message.partition, message.offset),
        Digest::of(content),
    )
}

/// The expected content of the three tables, counted from the topic.
#[derive(Debug, PartialEq, Eq)]
struct Totals {
    sales: i64,
    cents: i64,
    items: i64,
    item_cents: i64,
    customers: i64,
}

fn totals_of_topic(messages: &[Message]) -> Totals {
    let sales: Vec<Value> = messages.iter().map(Message::json).collect();
    let items = || {
        sales
            .iter()
            .flat_map(|sale| sale["items"].as_array().unwrap())
    };
    let customers: BTreeSet<i64> = sales
        .iter()
        .map(|sale| sale["customer"]["id"].as_i64().unwrap())
        .collect();
    Totals {
        sales: i64::try_from(sales.len()).unwrap(),
        cents: messages
            .iter()
            .map(|message| cents(&digits(message, "total")))
            .sum(),
        items: i64::try_from(items().count()).unwrap(),
        item_cents: items()
            .map(|item| cents(&format!("{:.2}", item["line_total"].as_f64().unwrap())))
            .sum(),
        customers: i64::try_from(customers.len()).unwrap(),
    }
}

async fn totals_of_tables(database: &Database) -> Totals {
    let number = async |sql: &str| database.try_number(sql).await.unwrap();
    Totals {
        sales: database.count("transactions").await,
        cents: number("SELECT (sum(total) * 100)::bigint FROM transactions").await,
        items: database.count("transaction_items").await,
        item_cents: number("SELECT (sum(line_total) * 100)::bigint FROM transaction_items").await,
        customers: database.count("customers").await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_sales_arrive_once_through_twenty_kills() {
    let _turn = servers::shared().await;
    let topic = Topic::not_created("PointOfSale");
    let dead = Topic::create("PointOfSale-dlq", 1).await;
    let simulator = format!("\"{}\"", Topic::not_created("pos-simulator").name());
    let sink = format!("\"{}\"", Topic::not_created("pos-to-postgres").name());
    let database = Database::create().await;
    database.execute(LOG_TABLE).await;
    let folder = shipped::folder(
        &["pos-simulator", "pos-to-postgres"],
        &[
            ("\"PointOfSale.dlq\"", &format!("\"{}\"", dead.name())),
            ("\"PointOfSale\"", &format!("\"{}\"", topic.name())),
            ("\"pos-simulator\"", &simulator),
            ("\"pos-to-postgres\"", &sink),
            ("rate = 50 ", "rate = 2500 "),
            ("# count = 100000 ", "count = 100000 "),
        ],
    );
    folder.connector("sales-log", log_connector(&topic));
    let launch = Launch::run(&folder).database(database.url());

    // The schedule follows progress, not the clock, and can be reproduced from its seed.
    let mut random = ChaCha8Rng::seed_from_u64(20_261_120);
    for kill in 0..KILLS {
        let progress = database.count("sales_log").await + random.random_range(100..3_000);
        let mut process = launch.start();
        eventually(
            &format!("{progress} sales before kill {kill}"),
            payments::SETTLED,
            async || (database.count("sales_log").await >= progress.min(SALES)).then_some(()),
        )
        .await;
        process.kill();
    }
    assert!(
        database.count("sales_log").await < SALES,
        "the kills came after the work was done"
    );
    let mut process = launch.start();
    eventually(
        "every sale in every table",
        Duration::from_secs(180),
        async || {
            let done = database.count("sales_log").await >= SALES
                && database.count("transactions").await >= SALES;
            done.then_some(())
        },
    )
    .await;
    assert_eq!(process.stop(Duration::from_secs(30)).await, 0);

    let messages = topic.read(Isolation::Committed).await;
    let ledger: Ledger = messages
        .iter()
        .map(|message| entry(&topic, message))
        .collect();
    assert_eq!(
        ledger.len(),
        usize::try_from(SALES).unwrap(),
        "the simulator's sales"
    );
    let partitions: BTreeSet<i32> = messages.iter().map(|message| message.partition).collect();
    assert_eq!(partitions.len(), 6);
    let evidence = Evidence {
        rows: database.entries(LOGGED).await,
        ..Evidence::default()
    };
    Verdict::reconcile(&ledger, &evidence).assert_clean();
    assert_eq!(
        totals_of_tables(&database).await,
        totals_of_topic(&messages)
    );
    assert!(payments::dead_letters(&dead).await.is_empty());
    database.remove().await;
}
