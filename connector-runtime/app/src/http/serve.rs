//! Connections: HTTP/1.1 only, as many as there may be, and none for longer than it is used.
//!
//! Connections that send nothing, or slowly, must not take the descriptors that connectors need.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::BoundPort;

/// As many connections are open at a time; others wait in the system's queue.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// The TLS handshake, and the headers of each request from the answer before, take at most this long.
const HEADERS_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 10_000 });
/// No connection lives longer: a scraper connects again.
const CONNECTION_LIVES: Duration = Duration::from_secs(300);

pub(super) fn run(bound: BoundPort, routes: Router, end: CancellationToken) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Not gracefully: a client that keeps its connection open must not keep us.
        tokio::select! {
            ended = accept(bound, routes) => ended,
            () = end.cancelled() => Ok(()),
        }
    })
}

async fn accept(bound: BoundPort, routes: Router) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(bound.listener)?;
    let tls = bound.tls.map(tokio_native_tls::TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let permit = room.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The connection is gone already, or there are no descriptors at the moment.
            Err(error) => {
                tracing::debug!(event = "http_accept_failed", %error);
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, routes) = (tls.clone(), routes.clone());
        tokio::spawn(async move {
            let serving = serve(stream, tls, routes);
            if tokio::time::timeout(CONNECTION_LIVES, serving)
                .await
                .is_err()
            {
                tracing::debug!(event = "http_connection_ended");
            }
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, tls: Option<tokio_native_tls::TlsAcceptor>, routes: Router) {
    let Some(tls) = tls else {
        return answer(stream, routes).await;
    };
    match tokio::time::timeout(HEADERS_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, routes).await,
        Ok(Err(error)) => tracing::debug!(event = "http_handshake_failed", %error),
        Err(_) => tracing::debug!(event = "http_handshake_failed", "it took too long"),
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Router) {
    let answered = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .await;
    if let Err(error) = answered {
        tracing::debug!(event = "http_connection_broke", %error);
    }
}
