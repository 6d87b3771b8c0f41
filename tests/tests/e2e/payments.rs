//! The common scenario: payments from a topic into an append-only table without a key, where every repetition is a
//! second row and every disorder is visible.

use std::time::Duration;

use connect_tests::checker::{Digest, Entry, Evidence, Ledger, Place, Verdict};
use connect_tests::database::Database;
use connect_tests::eventually;
use connect_tests::folder::Folder;
use connect_tests::kafka::{Isolation, Message, Topic};
use connect_tests::load::Payments;

/// The time in which a scenario settles without disturbance: a killed member stays in its group for 10 s.
pub(crate) const SETTLED: Duration = Duration::from_secs(90);

const TABLE: &str = r#"CREATE TABLE payments (
    arrived bigserial,
    id text, sequence bigint, account text, amount numeric(12, 2), note text,
    topic text, partition integer, "offset" bigint
)"#;

const WRITTEN: &str = r#"SELECT id, topic, partition, "offset",
    concat_ws('|', sequence, account, amount, note) AS content
    FROM payments ORDER BY arrived"#;

/// A database with the table.
pub(crate) async fn database() -> Database {
    let database = Database::create().await;
    database.execute(TABLE).await;
    database
}

/// A folder with the contract and no connector.
pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("schemas/payment.json", Payments::schema());
    folder
}

/// The connector from the topic to the table; `keys` precede the sink, such as `tasks = 2`.
pub(crate) fn connector(topic: &Topic, keys: &str, tables: &str) -> String {
    let topic = topic.name();
    format!(
        r##"topics = ["{topic}"]
{keys}

[value]
format = "json"
schema = "../schemas/payment.json"

[[sinks]]
type = "postgres"
url = "${{env:DATABASE_URL}}"

[[sinks.tables]]
table = "payments"
mode = "insert"
[sinks.tables.columns]
id = "$.id"
sequence = "$.sequence"
account = "$.account"
amount = "$.amount"
note = "$.note"
topic = "#topic"
partition = "#partition"
offset = "#offset"

{tables}
"##
    )
}

/// Sends bad records to this topic.
pub(crate) fn tolerant(dead_letters: &Topic) -> String {
    format!(
        "[errors]\ntolerance = \"all\"\ndead_letter_topic = \"{}\"\n",
        dead_letters.name()
    )
}

/// Like [`tolerant`], even if all of the first records are bad.
pub(crate) fn tolerant_of_all(dead_letters: &Topic) -> String {
    tolerant(dead_letters) + "stop_after = \"never\"\n"
}

/// Waits until the table has as many rows as the ledger, then reconciles.
pub(crate) async fn verdict(ledger: &Ledger, database: &Database, dead: Option<&Topic>) -> Verdict {
    let dead_letters = match dead {
        Some(topic) => dead_letters(topic).await,
        None => Vec::new(),
    };
    let expected = i64::try_from(ledger.len() - dead_letters.len()).unwrap();
    eventually(
        &format!("{expected} rows in payments"),
        SETTLED,
        async || (database.count("payments").await >= expected).then_some(()),
    )
    .await;
    Verdict::reconcile(
        ledger,
        &Evidence {
            rows: database.entries(WRITTEN).await,
            dead_letters,
            ..Evidence::default()
        },
    )
}

/// The rows from one of several topics.
pub(crate) async fn rows_of(database: &Database, topic: &Topic) -> Vec<Entry> {
    let rows = database.entries(WRITTEN).await;
    let is_of_topic = |row: &Entry| row.place.topic == topic.name();
    rows.into_iter().filter(is_of_topic).collect()
}

/// Dead letters for the checker: the id is the key, the origin is in Kafka Connect's headers, and the bytes are the
/// content.
pub(crate) async fn dead_letters(topic: &Topic) -> Vec<Entry> {
    let letters = topic.read(Isolation::Committed).await;
    letters.iter().map(dead_letter).collect()
}

pub(crate) fn dead_letter(letter: &Message) -> Entry {
    let header = |name: &str| {
        letter
            .header(&format!("__connect.errors.{name}"))
            .unwrap_or_else(|| panic!("a dead letter without {name}: {letter:?}"))
    };
    let place = Place::new(
        &header("topic"),
        header("partition").parse().unwrap(),
        header("offset").parse().unwrap(),
    );
    let id = String::from_utf8(letter.key.clone().unwrap_or_default()).unwrap();
    Entry::new(
        id,
        place,
        Digest::of(letter.value.as_deref().unwrap_or_default()),
    )
}

/// Waits until the table has at least this many rows.
pub(crate) async fn rows(database: &Database, at_least: i64) {
    eventually(
        &format!("{at_least} rows in payments"),
        SETTLED,
        async || (database.count("payments").await >= at_least).then_some(()),
    )
    .await;
}
