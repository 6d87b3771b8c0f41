//! The ways to upsert a batch, by what they cost the server: the CPU time of its backend, which other load hardly changes.
//! The connector takes the cheapest; the statement is in the sink's `statement.rs`.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};

use crate::binary;
use crate::limits::{Arrays, BATCH, on_conflict, upsert};
use crate::sale::{COLUMNS, Sale};

#[derive(Clone, Copy)]
pub(crate) enum Way {
    FromUnnest,
    SelectUnnest,
    TemporaryTable,
}

pub(crate) const WAYS: [(&str, Way); 3] = [
    ("SELECT * FROM unnest($1, $2, …)", Way::FromUnnest),
    ("SELECT unnest($1), unnest($2), …", Way::SelectUnnest),
    (
        "COPY to a temporary table, INSERT … SELECT",
        Way::TemporaryTable,
    ),
];

/// The backend's CPU time for new rows, and for the same rows again.
pub(crate) async fn measure(pool: &PgPool, way: Way, records: u64) -> (Duration, Duration) {
    let mut client = pool.acquire().await.expect("a connection");
    if let Way::TemporaryTable = way {
        let table = "CREATE TEMPORARY TABLE batch (LIKE sales) ON COMMIT DELETE ROWS";
        execute(&mut client, table).await;
    }
    let begin = cpu(&mut client).await;
    run(&mut client, way, records).await;
    let new = cpu(&mut client).await;
    run(&mut client, way, records).await;
    let again = cpu(&mut client).await;
    (new - begin, again - new)
}

async fn run(client: &mut PgConnection, way: Way, records: u64) {
    let statement = way.statement();
    for first in (0..records).step_by(usize::try_from(BATCH).expect("a small number")) {
        let mut sales: Vec<Sale> = (first..records.min(first + BATCH))
            .map(Sale::number)
            .collect();
        // As a connector must do it, lest two writers wait for each other.
        sales.sort_unstable_by(|one, other| one.sale_id.cmp(&other.sale_id));
        match way {
            Way::FromUnnest | Way::SelectUnnest => {
                upsert(client, &statement, Arrays::of(sales)).await;
            }
            Way::TemporaryTable => through_table(client, &statement, &sales).await,
        }
    }
}

async fn through_table(client: &mut PgConnection, statement: &str, sales: &[Sale]) {
    let mut rows = binary::HEADER.to_vec();
    sales
        .iter()
        .for_each(|sale| binary::append_row(sale, &mut rows));
    rows.extend_from_slice(binary::TRAILER);
    let mut transaction = client.begin().await.expect("BEGIN");
    let mut copy = transaction
        .copy_in_raw("COPY batch FROM STDIN (FORMAT binary)")
        .await
        .expect("COPY");
    copy.send(rows).await.expect("COPY");
    copy.finish().await.expect("COPY");
    execute(&mut transaction, statement).await;
    transaction.commit().await.expect("COMMIT");
}

async fn execute(client: &mut PgConnection, statement: &str) {
    let executed = sqlx::query(statement).execute(client).await;
    executed.expect(statement);
}

impl Way {
    fn statement(self) -> String {
        let columns = COLUMNS.map(|(name, _)| name).join(", ");
        let parameters = COLUMNS.iter().enumerate().map(|(index, (_, kind))| {
            let kind = kind.split('(').next().expect("a type");
            format!("${}::{kind}[]", index + 1)
        });
        let parameters: Vec<String> = parameters.collect();
        let rows = match self {
            Way::FromUnnest => format!("* FROM unnest({})", parameters.join(", ")),
            Way::SelectUnnest => {
                let columns: Vec<String> = parameters
                    .iter()
                    .enumerate()
                    .map(|(index, parameter)| format!("unnest({parameter}) AS c{}", index + 1))
                    .collect();
                format!("batch.* FROM (SELECT {}) AS batch", columns.join(", "))
            }
            Way::TemporaryTable => "* FROM batch".to_owned(),
        };
        format!(
            "INSERT INTO sales ({columns}) SELECT {rows}{}",
            on_conflict()
        )
    }
}

/// What the connection's backend has spent so far, user and system.
async fn cpu(client: &mut PgConnection) -> Duration {
    let stat: String = sqlx::query_scalar("SELECT pg_read_file('/proc/self/stat')")
        .fetch_one(client)
        .await
        .expect("a superuser may read it");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum();
    // In units of 1/100 s.
    Duration::from_millis(ticks * 10)
}
