//! A database per test, and the guard against dropping any other.

use std::net::SocketAddr;
use std::sync::Mutex;

use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use crate::checker::{Digest, Entry, Place};
use crate::servers;

const PREFIX: &str = "connect_test_";

/// A fresh database with a random name and a marker of its creator. If a test fails before it removes its database,
/// the drop does.
pub struct Database {
    name: String,
    marker: Uuid,
    pool: PgPool,
    /// Roles of this test; they are removed with the database.
    roles: Mutex<Vec<String>>,
    is_removed: bool,
}

impl Database {
    pub async fn create() -> Database {
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        let mut server = administrator().await;
        sqlx::raw_sql(&format!("CREATE DATABASE {name}"))
            .execute(&mut server)
            .await
            .expect("create database");
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy(&url_of(&name))
            .expect("a URL");
        let database = Database {
            name,
            marker: Uuid::new_v4(),
            pool,
            roles: Mutex::default(),
            is_removed: false,
        };
        let marker = database.marker;
        database
            .execute(&format!(
                "CREATE TABLE connect_test_marker AS SELECT '{marker}' AS made_by"
            ))
            .await;
        database
    }

    /// The connectors' `DATABASE_URL`.
    pub fn url(&self) -> String {
        url_of(&self.name)
    }

    /// Creates a superuser role and returns its URL, so that the server's list of sessions distinguishes the
    /// processes.
    pub async fn role(&self, word: &str, password: &str) -> (String, String) {
        let role = format!(
            "{PREFIX}{word}_{}",
            &Uuid::new_v4().simple().to_string()[..12]
        );
        self.execute(&format!(
            "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'"
        ))
        .await;
        self.roles.lock().expect("roles").push(role.clone());
        let url = self.url();
        let (_, address) = url.rsplit_once('@').expect("a URL with a user");
        (format!("postgres://{role}:{password}@{address}"), role)
    }

    /// `DATABASE_URL` through a proxy, which reads the traffic and therefore needs no TLS.
    pub fn url_through(&self, proxy: SocketAddr) -> String {
        let url = self.url();
        let (credentials, rest) = url.rsplit_once('@').expect("a URL with a user");
        let (_, database) = rest.split_once('/').expect("a URL with a database");
        format!("{credentials}@{proxy}/{database}?sslmode=disable")
    }

    /// Executes several statements.
    pub async fn execute(&self, sql: &str) {
        sqlx::raw_sql(sql)
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// One row, one column. `None` also while the server is down or the table does not exist.
    pub async fn try_number(&self, sql: &str) -> Option<i64> {
        let row = sqlx::query(sql).fetch_one(&self.pool).await.ok()?;
        row.try_get::<i64, _>(0).ok()
    }

    /// The rows of a table; 0 while it cannot be queried.
    pub async fn count(&self, table: &str) -> i64 {
        self.try_number(&format!("SELECT count(*) FROM {table}"))
            .await
            .unwrap_or(0)
    }

    /// One row, one column, as text.
    pub async fn text(&self, sql: &str) -> String {
        let row = sqlx::query(sql)
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        row.try_get::<Option<String>, _>(0)
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
            .unwrap_or_default()
    }

    /// Rows for the checker. The query returns id, topic, partition, "offset" and the content as text, in the order
    /// of writing.
    pub async fn entries(&self, sql: &str) -> Vec<Entry> {
        let rows = sqlx::query(sql)
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        rows.iter().map(entry).collect()
    }

    /// Drops the database, provided that this object created it.
    pub async fn remove(mut self) {
        self.is_removed = true;
        self.pool.close().await;
        let roles = std::mem::take(self.roles.get_mut().expect("roles"));
        remove(&self.name, self.marker, &roles)
            .await
            .expect("remove the database");
    }
}

impl Drop for Database {
    /// On its own thread, because the test's runtime may be panicking.
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let name = self.name.clone();
        let marker = self.marker;
        let roles = self.roles.get_mut().map(std::mem::take).unwrap_or_default();
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(remove(&name, marker, &roles))
        });
        // The test's own failure matters more; an unreachable server keeps the database.
        let _ = removing.join();
    }
}

/// Removes a database and its roles, if its marker proves that it is the right one.
async fn remove(name: &str, marker: Uuid, roles: &[String]) -> Result<(), sqlx::Error> {
    let mut inside = PgConnection::connect(&url_of(name)).await?;
    let made_by: String = sqlx::query_scalar("SELECT made_by FROM connect_test_marker")
        .fetch_one(&mut inside)
        .await?;
    inside.close().await?;
    assert!(
        name.starts_with(PREFIX) && made_by == marker.to_string(),
        "{name} was not created by this test and is not removed"
    );
    let mut server = PgConnection::connect(&servers::postgres()).await?;
    sqlx::raw_sql(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .execute(&mut server)
        .await?;
    for role in roles {
        sqlx::raw_sql(&format!("DROP ROLE {role}"))
            .execute(&mut server)
            .await?;
    }
    Ok(())
}

fn entry(row: &PgRow) -> Entry {
    let place = Place {
        topic: row.get("topic"),
        partition: row.get("partition"),
        offset: row.get("offset"),
    };
    Entry::new(
        row.get::<String, _>("id"),
        place,
        Digest::of(row.get::<String, _>("content")),
    )
}

async fn administrator() -> PgConnection {
    PgConnection::connect(&servers::postgres())
        .await
        .expect("PostgreSQL answers")
}

fn url_of(database: &str) -> String {
    let url = servers::postgres();
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}
