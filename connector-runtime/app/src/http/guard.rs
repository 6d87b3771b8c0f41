//! Who is answered, and what every answer says.

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

/// Answers, or says why not. No answer is taken for another type than it names.
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
    /// A page of somebody else's site can make a browser ask us by a name that it lets point here (DNS rebinding), and
    /// would be allowed to read the answer. Such a request names that site as its host; people and probes on this machine
    /// use an address or `localhost`. Where we listen for other machines, names are fine.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let host = request.headers().get(HOST);
        let host = host.and_then(|host| host.to_str().ok());
        if !self.is_for_others && !host.is_none_or(is_local) {
            let text = "ask by address, or as localhost\n";
            return Some((StatusCode::FORBIDDEN, text).into_response());
        }
        // Probes of an orchestrator bring no token; they learn one word.
        let is_probe = ["/livez", "/readyz"].contains(&request.uri().path());
        if is_probe || self.has_token(request) {
            return None;
        }
        let text = "bring the token: `Authorization: Bearer …`\n";
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

/// Whether the host, with or without a port, is an address or `localhost`.
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
