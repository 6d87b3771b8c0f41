//! The real servers: their addresses, exclusive access to them, and how to stop and start them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Tests share the servers. A test that stops one, or measures, runs alone.
static TURN: RwLock<()> = RwLock::const_new(());

/// Allows other tests beside this one.
pub async fn shared() -> RwLockReadGuard<'static, ()> {
    TURN.read().await
}

/// Excludes every other test of this binary.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().await
}

/// The broker's address, for librdkafka.
pub fn kafka() -> String {
    address("CONNECT_TEST_KAFKA")
}

/// The broker's listener with TLS and a password (alice / alice-secret).
pub fn kafka_sasl_ssl() -> String {
    address("CONNECT_TEST_KAFKA_SASL_SSL")
}

/// The folder of the servers' certificates, including `ca.crt`.
pub fn certificates() -> String {
    address("CONNECT_TEST_TLS")
}

/// The URL of a superuser's connection to PostgreSQL.
pub fn postgres() -> String {
    address("CONNECT_TEST_POSTGRES")
}

/// The schema registry's URL.
pub fn registry() -> String {
    address("CONNECT_TEST_REGISTRY")
}

#[expect(
    clippy::disallowed_methods,
    reason = "dev/test sets the addresses of the servers"
)]
fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run dev/test, or `dev/servers up` and `eval \"$(dev/servers env)\"`")
    })
}

/// Stops, crashes or starts a server: `dev/servers VERB NAME`.
pub async fn operate(verb: &str, name: &str) {
    let script = std::env::var_os("CONNECT_TEST_SERVERS")
        .map_or_else(|| workspace().join("dev/servers"), PathBuf::from);
    let output = Command::new(&script)
        .args([verb, name])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    assert!(
        output.status.success(),
        "dev/servers {verb} {name}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
        .to_owned()
}
