//! Serves connections: HTTP/1.1 only, limited in number and lifetime.
//!
//! Slow or silent connections must not use up the descriptors that connectors need.

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

/// The limit of open connections; others wait in the system's queue.
pub(super) const MOST_CONNECTIONS: usize = 64;
/// The limit for the TLS handshake, and for the headers of each request since the previous response.
const HEADERS_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 10_000 });
/// The lifetime of a connection: a scraper reconnects.
const CONNECTION_LIVES: Duration = Duration::from_secs(300);

pub(super) fn run(bound: BoundPort, routes: Router, end: CancellationToken) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Not gracefully, because a client that keeps its connection open would delay our end.
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
            // The connection is closed already, or no descriptors are available.
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
        Err(_) => tracing::debug!(event = "http_handshake_failed", "the handshake timed out"),
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
