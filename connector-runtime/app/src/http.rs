//! What others ask a running `connect`: metrics, health, connectors. Nothing can be changed through it.
//!
//! It has a thread and a runtime of its own, so that it answers while every worker is busy.

mod connectors;
mod guard;
mod listen;
mod metrics;
mod serve;

use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use connect_api::Cause;
use connect_engine::{ConnectorStatus, State};
use tokio_util::sync::CancellationToken;

use self::connectors::ConnectorView;
use self::guard::Guard;
pub(crate) use self::listen::{BoundPort, bind};

/// Takes one look at all connectors.
pub(crate) type TakeSnapshot = Arc<dyn Fn() -> Vec<ConnectorStatus> + Send + Sync>;

/// The running server. Dropping it ends it.
pub(crate) struct HttpServer {
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub(crate) fn start(bound: BoundPort, look: TakeSnapshot) -> Result<HttpServer, Cause> {
        let end = CancellationToken::new();
        let guard = Guard {
            is_for_others: bound.is_for_others(),
            token: bound.token.clone(),
        };
        let routes = routes(look, guard);
        let ended = end.clone();
        let thread = std::thread::Builder::new()
            .name("connect-http".to_owned())
            .spawn(move || {
                if let Err(error) = serve::run(bound, routes, ended) {
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

/// No handler reads a body, and no answer allows other origins.
fn routes(look: TakeSnapshot, guard: Guard) -> Router {
    let shows_reasons = !guard.is_for_others;
    let guard = Arc::new(guard);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route(
            "/connectors",
            get(async move |look| list(look, shows_reasons)),
        )
        .route(
            "/connectors/{name}",
            get(async move |look, name| one(look, name, shows_reasons)),
        )
        .fallback(not_found)
        .layer(middleware::from_fn(move |request, next| {
            guard::check(guard.clone(), request, next)
        }))
        .with_state(look)
}

async fn not_found(uri: Uri) -> Response {
    let text = format!(
        "no {}: there are /metrics, /livez, /readyz, /connectors and /connectors/NAME\n",
        uri.path()
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn metrics(Shared(look): Shared<TakeSnapshot>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = metrics::TextFormat::accepted_by(accept.unwrap_or_default());
    match metrics::render(&look(), format) {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn list(Shared(look): Shared<TakeSnapshot>, shows_reasons: bool) -> Response {
    Json(described(&look, shows_reasons)).into_response()
}

fn one(
    Shared(look): Shared<TakeSnapshot>,
    Path(name): Path<String>,
    shows_reasons: bool,
) -> Response {
    let mut connectors = described(&look, shows_reasons).into_iter();
    match connectors.find(|connector| connector.is_named(&name)) {
        Some(connector) => Json(connector).into_response(),
        None => (StatusCode::NOT_FOUND, "no connector of this name\n").into_response(),
    }
}

/// Reasons name hosts, roles and files: other machines get none.
fn described(look: &TakeSnapshot, shows_reasons: bool) -> Vec<ConnectorView> {
    let mut looks = look();
    if !shows_reasons {
        looks.iter_mut().for_each(connectors::hide_reasons);
    }
    looks.iter().map(ConnectorView::of).collect()
}

/// Not ready while a connector is FAILED or about to be restarted. An outage of Kafka or a database leaves us ready and
/// alive: a restart of this process would not end it.
async fn readiness(Shared(look): Shared<TakeSnapshot>) -> Response {
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

#[cfg(test)]
mod tests;
