//! The HTTP server of a running `connect`: metrics, health and connectors, all read-only.
//!
//! It runs on its own thread and runtime, so it responds even while every worker is busy.

mod connectors;
mod guard;
mod listen;
mod metrics;
mod serve;

use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use connect_api::Cause;
use connect_engine::{ConnectorState, ConnectorStatus};
use tokio_util::sync::CancellationToken;

use self::connectors::ConnectorView;
use self::guard::Guard;
pub(crate) use self::listen::{BoundPort, bind};

/// Takes a snapshot of all connectors.
pub(crate) type TakeSnapshot = Arc<dyn Fn() -> Vec<ConnectorStatus> + Send + Sync>;

/// The running server. Dropping it ends it.
pub(crate) struct HttpServer {
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub(crate) fn start(
        bound: BoundPort,
        take_snapshot: TakeSnapshot,
    ) -> Result<HttpServer, Cause> {
        let end = CancellationToken::new();
        let guard = Guard {
            is_for_others: bound.is_for_others(),
            token: bound.token.clone(),
        };
        let routes = routes(take_snapshot, guard);
        let ended = end.clone();
        let thread = std::thread::Builder::new()
            .name("connect-http".to_owned())
            .spawn(move || {
                if let Err(error) = serve::run(bound, routes, ended) {
                    tracing::error!(event = "http_failed", %error);
                }
            })
            .map_err(|error| {
                Cause::new(format!(
                    "cannot start the thread of the HTTP server: {error}"
                ))
            })?;
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

/// No handler reads a body, and no response allows other origins.
fn routes(take_snapshot: TakeSnapshot, guard: Guard) -> Router {
    let shows_reasons = !guard.is_for_others;
    let guard = Arc::new(guard);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route(
            "/connectors",
            get(async move |take_snapshot| list(take_snapshot, shows_reasons)),
        )
        .route(
            "/connectors/{name}",
            get(async move |take_snapshot, name| one(take_snapshot, name, shows_reasons)),
        )
        .fallback(not_found)
        .layer(middleware::from_fn(move |request, next| {
            guard::check(guard.clone(), request, next)
        }))
        .with_state(take_snapshot)
}

async fn not_found(uri: Uri) -> Response {
    let text = format!(
        "{} does not exist; the paths are /metrics, /livez, /readyz, /connectors and /connectors/NAME\n",
        uri.path()
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn metrics(State(take_snapshot): State<TakeSnapshot>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = metrics::TextFormat::accepted_by(accept.unwrap_or_default());
    match metrics::render(&take_snapshot(), format) {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn list(State(take_snapshot): State<TakeSnapshot>, shows_reasons: bool) -> Response {
    Json(described(&take_snapshot, shows_reasons)).into_response()
}

fn one(
    State(take_snapshot): State<TakeSnapshot>,
    Path(name): Path<String>,
    shows_reasons: bool,
) -> Response {
    let mut connectors = described(&take_snapshot, shows_reasons).into_iter();
    match connectors.find(|connector| connector.is_named(&name)) {
        Some(connector) => Json(connector).into_response(),
        None => (StatusCode::NOT_FOUND, "no connector has this name\n").into_response(),
    }
}

/// Reasons name hosts, roles and files, so other machines do not get them.
fn described(take_snapshot: &TakeSnapshot, shows_reasons: bool) -> Vec<ConnectorView> {
    let mut snapshot = take_snapshot();
    if !shows_reasons {
        snapshot.iter_mut().for_each(connectors::hide_reasons);
    }
    snapshot.iter().map(ConnectorView::of).collect()
}

/// Not ready while a connector is FAILED or about to be restarted. During an outage of Kafka or a database we stay
/// ready and alive, because restarting this process would not end the outage.
async fn readiness(State(take_snapshot): State<TakeSnapshot>) -> Response {
    let broken: Vec<String> = take_snapshot()
        .iter()
        .filter(|status| {
            matches!(
                status.state,
                ConnectorState::Failed | ConnectorState::Restarting
            )
        })
        .map(|status| format!("{} {}\n", status.name, status.state.as_str()))
        .collect();
    if broken.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, broken.concat()).into_response()
    }
}

#[cfg(test)]
mod tests;
