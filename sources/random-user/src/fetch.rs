//! One request, and the validation of its response.

use std::error::Error as _;

use connect_api::{JsonLimits, Value, tls_error};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, Url, redirect};

use crate::address::{Denied, UrlHost};
use crate::config::RandomUserConfig;
use crate::user::{User, users_of};

/// The fields that are requested, so that nothing unused is sent. (`login` contains the id, and a password that we
/// drop.)
const FIELDS: &str = "gender,name,location,email,login,registered,dob,phone,picture,nat";
/// A response is five levels deep.
const DEEPEST: u32 = 16;

/// Requests people from the service.
pub(crate) struct Fetcher {
    client: Client,
    url: Url,
    host: String,
    results: usize,
    timeout: connect_api::Duration,
    max_response_bytes: u64,
}

impl Fetcher {
    pub(crate) fn new(config: &RandomUserConfig) -> Result<Fetcher, String> {
        let target = UrlHost::parse(&config.url)?;
        let client = Client::builder()
            .user_agent(concat!("connect/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .dns_resolver(target.resolver())
            // A proxy would resolve the name itself, so the address could not be checked.
            .no_proxy()
            // The next request is a minute away, so no connection is kept.
            .pool_max_idle_per_host(0)
            .timeout(config.timeout.get())
            .build()
            .map_err(|error| format!("cannot create the HTTP client: {error}"))?;
        Ok(Fetcher {
            client,
            host: target.name().to_owned(),
            url: request_url(target.url, config),
            results: usize::from(config.results),
            timeout: config.timeout,
            max_response_bytes: config.max_response_size.bytes(),
        })
    }

    /// The people of one response, or the reason for their absence, as a sentence about the host.
    pub(crate) async fn users(&self) -> Result<Vec<User>, String> {
        self.answer()
            .await
            .map_err(|reason| format!("{} {reason}", self.host))
    }

    async fn answer(&self) -> Result<Vec<User>, String> {
        let request = self.client.get(self.url.clone());
        let response = request
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| self.no_answer(&error))?;
        check_head(&response)?;
        let body = self.body(response).await?;
        let limits = JsonLimits {
            depth: DEEPEST,
            ..JsonLimits::default()
        };
        let value = Value::parse_json(body.into(), limits)
            .map_err(|error| format!("responds with invalid JSON: {error}"))?;
        users_of(&value, self.results)
            .map_err(|reason| format!("responds in another form than API 1.4: {reason}"))
    }

    /// Reads up to the limit, whatever the headers promise.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.no_answer(&error))?
        {
            if (body.len() + chunk.len()) as u64 > self.max_response_bytes {
                let most = connect_api::Size::from_bytes(self.max_response_bytes);
                return Err(format!(
                    "responds with more than {most} (`max_response_size`)"
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn no_answer(&self, error: &reqwest::Error) -> String {
        if let Some(Denied(address)) = cause_of(error) {
            return format!(
                "resolves to {address}, which is not a public address; nothing was sent"
            );
        }
        if error.is_timeout() {
            return format!("does not respond within {}", self.timeout);
        }
        let what = if error.is_dns() {
            "dns".to_owned()
        } else if let Some(reason) = tls_error(error) {
            reason
        } else if let Some(error) = cause_of::<std::io::Error>(error) {
            error.kind().to_string()
        } else if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the response was cut off".to_owned()
        };
        format!("does not respond ({what})")
    }
}

fn request_url(mut url: Url, config: &RandomUserConfig) -> Url {
    let mut query = url.query_pairs_mut();
    query.append_pair("results", &config.results.to_string());
    query.append_pair("inc", FIELDS);
    query.append_key_only("noinfo");
    if !config.nationalities.is_empty() {
        let codes = config.nationalities.iter();
        let codes: Vec<_> = codes
            .map(|nationality| nationality.code_and_country().0.to_lowercase())
            .collect();
        query.append_pair("nat", &codes.join(","));
    }
    drop(query);
    url
}

/// Checks status, type and encoding before a byte of the body is read.
fn check_head(response: &Response) -> Result<(), String> {
    let status = response.status();
    if status.is_redirection() {
        return Err(format!(
            "responds with a redirect ({}), which is not followed",
            status.as_u16()
        ));
    }
    if status.as_u16() == 429 {
        return Err("reports too many requests (429)".into());
    }
    if status.as_u16() != 200 {
        return Err(format!("responds with status {}", status.as_u16()));
    }
    if header(response.headers(), CONTENT_ENCODING.as_str()).is_some_and(|name| name != "identity")
    {
        return Err("responds with a compressed body, which was not requested".into());
    }
    let media_type = header(response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let found: String = essence
            .chars()
            .filter(|c| c.is_ascii_graphic())
            .take(60)
            .collect();
        return Err(format!(
            "responds with content of type `{found}`; expected `application/json`"
        ));
    }
    Ok(())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
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
