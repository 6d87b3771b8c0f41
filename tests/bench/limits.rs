//! Measures the limits: a program that does nothing else writes the same rows into the same server.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Connection, PgConnection, PgPool};

use crate::binary::{self, Numeric, Timestamp};
use crate::sale::{COLUMNS, Sale};

/// The batch size of a connector.
pub(crate) const BATCH: u64 = 5_000;

/// Binary rows in batches, encoded before the clock starts.
pub(crate) fn encode(records: u64) -> Vec<Vec<u8>> {
    (0..records)
        .step_by(usize::try_from(BATCH).expect("a small number"))
        .map(|first| {
            let mut rows = Vec::new();
            for n in first..records.min(first + BATCH) {
                binary::append_row(&Sale::number(n), &mut rows);
            }
            rows
        })
        .collect()
}

/// One COPY of all rows.
pub(crate) async fn one_copy(pool: &PgPool, batches: &[Vec<u8>]) -> Duration {
    let started = Instant::now();
    let mut copy = pool.copy_in_raw(&copy_statement()).await.expect("COPY");
    copy.send(binary::HEADER).await.expect("COPY");
    for rows in batches {
        copy.send(rows.as_slice()).await.expect("COPY");
    }
    copy.send(binary::TRAILER).await.expect("COPY");
    copy.finish().await.expect("COPY");
    started.elapsed()
}

/// One COPY and one transaction per batch.
pub(crate) async fn copy_in_batches(pool: &PgPool, batches: &[Vec<u8>]) -> Duration {
    let mut client = pool.acquire().await.expect("a connection");
    let started = Instant::now();
    for rows in batches {
        let mut transaction = client.begin().await.expect("BEGIN");
        let mut copy = transaction
            .copy_in_raw(&copy_statement())
            .await
            .expect("COPY");
        copy.send([binary::HEADER, rows, binary::TRAILER].concat())
            .await
            .expect("COPY");
        copy.finish().await.expect("COPY");
        transaction.commit().await.expect("COMMIT");
    }
    started.elapsed()
}

fn copy_statement() -> String {
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    format!("COPY sales ({columns}) FROM STDIN (FORMAT binary)")
}

/// One upsert of UNNESTed arrays and one transaction per batch.
pub(crate) async fn upsert_in_batches(pool: &PgPool, records: u64) -> Duration {
    let statement = upsert_statement();
    let mut client = pool.acquire().await.expect("a connection");
    let mut spent = Duration::ZERO;
    for first in (0..records).step_by(usize::try_from(BATCH).expect("a small number")) {
        let mut sales: Vec<Sale> = (first..records.min(first + BATCH))
            .map(Sale::number)
            .collect();
        // Sorted, as a connector must do it, lest two writers deadlock.
        sales.sort_unstable_by(|one, other| one.sale_id.cmp(&other.sale_id));
        let arrays = Arrays::of(sales);
        let started = Instant::now();
        upsert(&mut client, &statement, arrays).await;
        spent += started.elapsed();
    }
    spent
}

fn upsert_statement() -> String {
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    let mut statement = format!("INSERT INTO sales ({columns}) SELECT * FROM unnest(");
    for (number, (_, kind)) in COLUMNS.iter().enumerate() {
        let kind = kind.split('(').next().expect("a type");
        let comma = if number == 0 { "" } else { ", " };
        write!(statement, "{comma}${}::{kind}[]", number + 1).expect("text");
    }
    statement.push(')');
    statement.push_str(&on_conflict());
    statement
}

/// The end of an upsert.
pub(crate) fn on_conflict() -> String {
    let updates = COLUMNS[1..]
        .iter()
        .map(|(name, _)| format!("{name} = excluded.{name}"));
    let updates: Vec<String> = updates.collect();
    format!(
        " ON CONFLICT (sale_id) DO UPDATE SET {}",
        updates.join(", ")
    )
}

#[derive(Default)]
pub(crate) struct Arrays {
    sale_id: Vec<String>,
    store_id: Vec<i32>,
    register: Vec<i32>,
    customer_id: Vec<i64>,
    loyalty_points: Vec<i64>,
    sku: Vec<String>,
    product: Vec<&'static str>,
    quantity: Vec<i32>,
    price: Vec<Numeric>,
    total: Vec<Numeric>,
    sold_at: Vec<Timestamp>,
    received_at: Vec<Timestamp>,
    voided: Vec<bool>,
}

impl Arrays {
    pub(crate) fn of(sales: Vec<Sale>) -> Arrays {
        let mut arrays = Arrays::default();
        for sale in sales {
            arrays.sale_id.push(sale.sale_id);
            arrays.store_id.push(sale.store_id);
            arrays.register.push(sale.register);
            arrays.customer_id.push(sale.customer_id);
            arrays.loyalty_points.push(sale.loyalty_points);
            arrays.sku.push(sale.sku);
            arrays.product.push(sale.product);
            arrays.quantity.push(sale.quantity);
            arrays.price.push(Numeric(sale.price_cents));
            arrays.total.push(Numeric(sale.total_cents));
            arrays.sold_at.push(Timestamp(sale.sold_at_ms));
            arrays.received_at.push(Timestamp(sale.received_at_ms));
            arrays.voided.push(sale.voided);
        }
        arrays
    }
}

pub(crate) async fn upsert(client: &mut PgConnection, statement: &str, arrays: Arrays) {
    let mut transaction = client.begin().await.expect("BEGIN");
    sqlx::query(statement)
        .bind(arrays.sale_id)
        .bind(arrays.store_id)
        .bind(arrays.register)
        .bind(arrays.customer_id)
        .bind(arrays.loyalty_points)
        .bind(arrays.sku)
        .bind(arrays.product)
        .bind(arrays.quantity)
        .bind(arrays.price)
        .bind(arrays.total)
        .bind(arrays.sold_at)
        .bind(arrays.received_at)
        .bind(arrays.voided)
        .execute(&mut *transaction)
        .await
        .expect("upsert");
    transaction.commit().await.expect("COMMIT");
}
