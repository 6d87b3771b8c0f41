//! A proxy for PostgreSQL that parses the protocol far enough to act at a COMMIT.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::servers;

/// The proxy's instructions, shared by all connections.
#[derive(Default)]
struct Orders {
    /// One in this many COMMITs loses its answer; 0 for none.
    cut_every: AtomicU64,
    /// Whether the server gets the COMMIT whose answer is lost.
    cut_before: AtomicBool,
    commits: AtomicU64,
    cuts: AtomicU64,
    delay_ms: AtomicU64,
}

/// A proxy on a free loopback port; it ends with its runtime.
pub struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
    gate: watch::Sender<Gate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// Bytes are held back; nothing is refused.
    Paused,
    /// Connections break, and new ones are refused.
    Closed,
}

impl Gate {
    /// Returns when bytes may pass; `false`: the connection breaks.
    async fn passes(gate: &mut watch::Receiver<Gate>) -> bool {
        let decided = gate.wait_for(|gate| *gate != Gate::Paused).await;
        decided.is_ok_and(|gate| *gate == Gate::Open)
    }

    async fn closes(gate: &mut watch::Receiver<Gate>) {
        // Without the proxy it cannot close any more.
        if gate.wait_for(|gate| *gate == Gate::Closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Proxy {
    /// A proxy for the PostgreSQL of this run.
    pub async fn before_postgres() -> Proxy {
        let url = servers::postgres();
        let (_, rest) = url.rsplit_once('@').expect("a URL with a user");
        let (upstream, _) = rest.split_once('/').expect("a URL with a database");
        let upstream = upstream.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let orders = Arc::new(Orders::default());
        let (gate, opened) = watch::channel(Gate::Open);
        let shared = orders.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // If the upstream is down, the connection closes.
                if *opened.borrow() == Gate::Closed {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(&upstream).await {
                    tokio::spawn(serve(client, server, shared.clone(), opened.clone()));
                }
            }
        });
        Proxy {
            address,
            orders,
            gate,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of every `n` COMMITs the server executes one whose answer never arrives: the connection breaks.
    pub fn cut_every_answer_to_commit(&self, n: u64) {
        self.orders.cut_before.store(false, Ordering::SeqCst);
        self.orders.cut_every.store(n, Ordering::SeqCst);
    }

    /// Of every `n` COMMITs one never reaches the server: the connection breaks.
    pub fn cut_every_commit(&self, n: u64) {
        self.orders.cut_before.store(true, Ordering::SeqCst);
        self.orders.cut_every.store(n, Ordering::SeqCst);
    }

    pub fn commits(&self) -> u64 {
        self.orders.commits.load(Ordering::SeqCst)
    }

    pub fn cuts(&self) -> u64 {
        self.orders.cuts.load(Ordering::SeqCst)
    }

    /// Delays every COMMIT.
    pub fn delay_commits(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).expect("a short delay");
        self.orders.delay_ms.store(milliseconds, Ordering::SeqCst);
    }

    /// Holds everything back until `resume`, and refuses nothing.
    pub fn pause(&self) {
        self.gate.send_replace(Gate::Paused);
    }

    /// Simulates a dead server until `resume`: connections break, and new ones are closed at once.
    pub fn close(&self) {
        self.gate.send_replace(Gate::Closed);
    }

    pub fn resume(&self) {
        self.gate.send_replace(Gate::Open);
    }
}

async fn serve(
    client: TcpStream,
    server: TcpStream,
    orders: Arc<Orders>,
    mut gate: watch::Receiver<Gate>,
) {
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Set when the next answer is to be swallowed.
    let swallow = Arc::new(AtomicBool::new(false));
    // The end of one direction ends both, so that both sides see a cut.
    tokio::select! {
        () = requests(from_client, to_server, &orders, gate.clone(), &swallow) => {}
        () = answers(from_server, to_client, &orders, gate.clone(), &swallow) => {}
        () = Gate::closes(&mut gate) => {}
    }
}

/// Client to server, message by message.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    orders: &Orders,
    mut gate: watch::Receiver<Gate>,
    swallow: &AtomicBool,
) {
    let mut pending = Vec::new();
    let mut started = false;
    loop {
        let mut chunk = [0; 64 * 1024];
        let read = from.read(&mut chunk).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        pending.extend_from_slice(&chunk[..read]);
        let mut passed = 0;
        while let Some(length) = message_length(&pending[passed..], started) {
            let message = &pending[passed..passed + length];
            if started && is_commit(message) {
                let count = orders.commits.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_millis(
                    orders.delay_ms.load(Ordering::SeqCst),
                ))
                .await;
                let every = orders.cut_every.load(Ordering::SeqCst);
                if every > 0 && count.is_multiple_of(every) {
                    if orders.cut_before.load(Ordering::SeqCst) {
                        orders.cuts.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    swallow.store(true, Ordering::SeqCst);
                }
            }
            started = true;
            passed += length;
        }
        if !Gate::passes(&mut gate).await {
            return;
        }
        if to.write_all(&pending[..passed]).await.is_err() {
            return;
        }
        pending.drain(..passed);
    }
}

/// Server to client, unchanged; a swallowed answer ends the connection.
async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    orders: &Orders,
    mut gate: watch::Receiver<Gate>,
    swallow: &AtomicBool,
) {
    let mut swallowed = Vec::new();
    loop {
        let mut chunk = [0; 64 * 1024];
        let read = from.read(&mut chunk).await.unwrap_or(0);
        if read == 0 || !Gate::passes(&mut gate).await {
            return;
        }
        if swallow.load(Ordering::SeqCst) {
            swallowed.extend_from_slice(&chunk[..read]);
            // The server has committed when it says so.
            if contains(&swallowed, b"COMMIT\0") {
                orders.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
        } else if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

/// The first message of a connection has no type byte; every other has one before its length.
fn message_length(bytes: &[u8], started: bool) -> Option<usize> {
    let head = usize::from(started);
    let length: [u8; 4] = bytes.get(head..head + 4)?.try_into().ok()?;
    let length = head + usize::try_from(u32::from_be_bytes(length)).ok()?;
    (bytes.len() >= length).then_some(length)
}

/// A simple query, or the Parse of a statement, that commits.
fn is_commit(message: &[u8]) -> bool {
    match message.first() {
        // Not `READ COMMITTED`.
        Some(b'Q') => [&b"COMMIT\0"[..], b"COMMIT;"]
            .iter()
            .any(|ending| contains(&message.to_ascii_uppercase(), ending)),
        Some(b'P') => contains(&message.to_ascii_uppercase(), b"COMMIT\0"),
        _ => false,
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn finds_the_ends_of_messages() {
        let query = message(b'Q', b"SELECT 1\0");
        assert_eq!(message_length(&query, true), Some(query.len()));
        assert_eq!(message_length(&query[..query.len() - 1], true), None);
        assert_eq!(message_length(&[0, 0, 0, 8, 1, 2, 3, 4, 9], false), Some(8));
        assert_eq!(message_length(&[0, 0], false), None);
    }

    #[test]
    fn knows_a_commit() {
        assert!(is_commit(&message(b'Q', b"COMMIT\0")));
        assert!(is_commit(&message(b'Q', b"commit;\0")));
        assert!(is_commit(&message(b'P', b"name\0COMMIT\0\0\0")));
        assert!(!is_commit(&message(b'Q', b"ROLLBACK\0")));
        let begin = b"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 1\0";
        assert!(!is_commit(&message(b'Q', begin)));
        assert!(!is_commit(&message(b'd', b"COMMIT\0")));
    }
}
