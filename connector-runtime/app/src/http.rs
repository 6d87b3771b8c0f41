//! What others ask a running `connect`: metrics, health, connectors. Nothing can be changed through it.
//!
//! It has a thread and a runtime of its own, so that it answers while every worker is busy.

mod connectors;
mod metrics;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use connect_api::Cause;
use connect_engine::config::HttpAddress;
use connect_engine::{ConnectorStatus, State};
use tokio_util::sync::CancellationToken;

const DEFAULT_PORT: u16 = 8083;
/// How many ports behind the default one are tried.
const NEIGHBOURS: u16 = 100;

/// Takes one look at all connectors.
pub(crate) type Look = Arc<dyn Fn() -> Vec<ConnectorStatus> + Send + Sync>;

/// A port that is ours already, before anything is started that would have to be stopped again.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    wanted: HttpAddress,
}

impl Bound {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The default port, if it was taken.
    pub(crate) fn moved_from(&self) -> Option<u16> {
        (self.wanted == HttpAddress::Default && self.address.port() != DEFAULT_PORT)
            .then_some(DEFAULT_PORT)
    }
}

/// The running server. Dropping it ends it.
pub(crate) struct HttpServer {
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub(crate) fn start(bound: Bound, look: Look) -> Result<HttpServer, Cause> {
        let end = CancellationToken::new();
        let routes = routes(look, bound.address.ip());
        let ended = end.clone();
        let thread = std::thread::Builder::new()
            .name("connect-http".to_owned())
            .spawn(move || {
                if let Err(error) = serve(bound.listener, routes, ended) {
                    tracing::error!(event = "http_failed", %error);
                }
            })
            .map_err(|error| Cause::new(format!("no thread for HTTP: {error}")))?;
        Ok(HttpServer {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `None` where it is switched off. A default port that is taken gives way to the next free one; a configured one does
/// not.
pub(crate) fn bind(wanted: HttpAddress) -> Result<Option<Bound>, Cause> {
    let Some(listener) = listen(wanted)? else {
        return Ok(None);
    };
    let failed = |error| Cause::new(format!("cannot listen for HTTP: {error}"));
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some(Bound {
        listener,
        address,
        wanted,
    }))
}

fn listen(wanted: HttpAddress) -> Result<Option<TcpListener>, Cause> {
    let failed = |address: SocketAddr, error: std::io::Error| {
        let cause = Cause::new(format!("cannot listen on http://{address}: {error}"));
        match error.kind() {
            ErrorKind::AddrInUse => {
                cause.with_help("set another `address` in [http] of connect.toml")
            }
            _ => cause,
        }
    };
    match wanted {
        HttpAddress::Off => Ok(None),
        HttpAddress::At(address) => TcpListener::bind(address)
            .map(Some)
            .map_err(|error| failed(address, error)),
        HttpAddress::Default => {
            let mut port = DEFAULT_PORT;
            loop {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                match TcpListener::bind(address) {
                    Ok(listener) => return Ok(Some(listener)),
                    Err(error)
                        if error.kind() == ErrorKind::AddrInUse
                            && port < DEFAULT_PORT + NEIGHBOURS =>
                    {
                        port += 1
                    }
                    Err(error) => return Err(failed(address, error)),
                }
            }
        }
    }
}

fn serve(listener: TcpListener, routes: Router, end: CancellationToken) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Not gracefully: a client that keeps its connection open must not keep us.
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => served,
            () = end.cancelled() => Ok(()),
        }
    })
}

/// No handler reads a body, and no answer allows other origins.
fn routes(look: Look, listening: IpAddr) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/connectors", get(list))
        .fallback(not_found)
        .layer(middleware::from_fn(move |request, next| {
            require_host(listening, request, next)
        }))
        .with_state(look)
}

async fn not_found(uri: Uri) -> Response {
    let text = format!(
        "no {}: there are /metrics, /livez, /readyz and /connectors\n",
        uri.path()
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn metrics(Shared(look): Shared<Look>) -> Response {
    match metrics::render(&look()) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn list(Shared(look): Shared<Look>) -> Response {
    let connectors: Vec<_> = look().iter().map(connectors::Connector::of).collect();
    Json(connectors).into_response()
}

/// Not ready while a connector is FAILED or about to be restarted. An outage of Kafka or a database leaves us ready and
/// alive: a restart of this process would not end it.
async fn readiness(Shared(look): Shared<Look>) -> Response {
    let broken: Vec<String> = look()
        .iter()
        .filter(|status| matches!(status.state, State::Failed | State::Restarting))
        .map(|status| format!("{} {}\n", status.name, status.state.as_str()))
        .collect();
    if broken.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, broken.concat()).into_response()
    }
}

/// A page of somebody else's site can make a browser ask us by a name that it lets point here (DNS rebinding), and would
/// be allowed to read the answer. Such a request names that site as its host; people and probes on this machine use an
/// address or `localhost`. Names are fine where we were told to listen for other machines.
async fn require_host(listening: IpAddr, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    if !listening.is_loopback() || host.is_none_or(is_local) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "ask by address, or as localhost\n").into_response()
    }
}

/// Whether the host, with or without a port, is an address or `localhost`.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => name,
        _ => host,
    };
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
