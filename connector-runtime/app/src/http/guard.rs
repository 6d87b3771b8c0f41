//! Decides which requests are answered, and adds headers to every response.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

pub(super) struct Guard {
    pub(super) is_for_others: bool,
    pub(super) token: Option<Arc<str>>,
}

/// Passes the request on or refuses it. No browser may guess another content type than the response names.
pub(super) async fn check(guard: Arc<Guard>, request: Request, next: Next) -> Response {
    let mut answer = match guard.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

impl Guard {
    /// A foreign web site can make a browser send us requests under a name that it points here (DNS rebinding), and
    /// could read the responses. Such a request names that site as its host, while people and probes on this machine
    /// use an address or `localhost`. Where we listen for other machines, any name is allowed.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        if !self.is_for_others && !host.is_none_or(is_local) {
            let text = "use an IP address or localhost as the host\n";
            return Some((StatusCode::FORBIDDEN, text).into_response());
        }
        // An orchestrator's probes have no token; they learn one word.
        let is_probe = ["/livez", "/readyz"].contains(&request.uri().path());
        if is_probe || self.has_token(request) {
            return None;
        }
        let text = "a token is required: `Authorization: Bearer …`\n";
        let challenge = [(WWW_AUTHENTICATE, "Bearer")];
        Some((StatusCode::UNAUTHORIZED, challenge, text).into_response())
    }

    fn has_token(&self, request: &Request) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let brought = request
            .headers()
            .get(AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let brought = brought.and_then(|value| {
            let (scheme, token) = value.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        brought.is_some_and(|brought| brought.ct_eq(token.as_bytes()).into())
    }
}

/// Whether the host, with or without a port, is an IP address or `localhost`.
pub(super) fn is_local(host: &str) -> bool {
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
