//! The client for one host.

use std::error::Error as _;
use std::time::Duration;

use connect_api::{FilePath, Size, tls_error};
use reqwest::{Certificate, Client, RequestBuilder, Response, redirect};

use crate::address::{Denied, UrlHost};

/// A client that connects to the addresses of one host alone, verifies its certificate, follows no redirect and uses
/// no proxy.
pub struct HttpClient {
    client: Client,
    timeout: Duration,
    host: String,
}

/// Why a request has no response, as a sentence about the host: `api.example.com does not respond (dns)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    pub message: String,
    /// The certificate of the host, or of ours, was refused.
    pub is_certificate: bool,
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl HttpClient {
    /// `timeout` limits one request, from the lookup of the name to the last byte. `ca` is a PEM file of certificates to
    /// trust in addition to those of the system. `Err` says what cannot be used.
    pub fn new(
        host: &UrlHost,
        timeout: Duration,
        ca: Option<&FilePath>,
    ) -> Result<HttpClient, String> {
        let mut builder = Client::builder()
            .user_agent(concat!("connect/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .dns_resolver(host.resolver())
            // A proxy would resolve the name itself, so the address could not be checked.
            .no_proxy()
            .timeout(timeout);
        if let Some(ca) = ca {
            for certificate in certificates(ca)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder
            .build()
            .map_err(|error| format!("cannot create the HTTP client: {error}"))?;
        Ok(HttpClient {
            client,
            timeout,
            host: host.name().to_owned(),
        })
    }

    /// The client, to start a request to the host.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and waits for the head of its response.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, RequestError> {
        request.send().await.map_err(|error| self.no_answer(&error))
    }

    /// The body, which may have `most_bytes` at most, whatever the headers promise.
    pub async fn body(
        &self,
        mut response: Response,
        most_bytes: u64,
    ) -> Result<Vec<u8>, RequestError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.no_answer(&error))?
        {
            if (body.len() + chunk.len()) as u64 > most_bytes {
                let most = Size::from_bytes(most_bytes);
                return Err(self.error(&format!(
                    "responds with more than {most} (`max_response_size`)"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// `what` continues a sentence about the host.
    pub fn error(&self, what: &str) -> RequestError {
        RequestError {
            message: format!("{} {what}", self.host),
            is_certificate: false,
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> RequestError {
        if let Some(Denied(address)) = cause_of(error) {
            return self.error(&format!(
                "resolves to {address}, which is not an address that may be requested; nothing was sent"
            ));
        }
        if error.is_timeout() {
            let timeout = connect_api::Duration::from(self.timeout);
            return self.error(&format!("does not respond within {timeout}"));
        }
        let tls = tls_error(error);
        let what = if error.is_dns() {
            "dns".to_owned()
        } else if let Some(reason) = &tls {
            reason.clone()
        } else if let Some(error) = cause_of::<std::io::Error>(error) {
            error.kind().to_string()
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the response was cut off".to_owned()
        };
        RequestError {
            is_certificate: tls.is_some(),
            ..self.error(&format!("does not respond ({what})"))
        }
    }
}

fn certificates(file: &FilePath) -> Result<Vec<Certificate>, String> {
    let name = file.as_path().display();
    let content =
        std::fs::read(file.as_path()).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let certificates = Certificate::from_pem_bundle(&content)
        .map_err(|error| format!("{name} holds no certificate in PEM: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{name} holds no certificate in PEM"));
    }
    Ok(certificates)
}

/// The first error of this type in the chain of the client's error.
fn cause_of<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}
