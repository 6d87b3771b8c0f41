//! One request, and the validation of its response.

use connect_api::{JsonLimits, Value};
use connect_http::{HttpClient, Reach, UrlHost};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};

use crate::config::RandomUserConfig;
use crate::user::{User, users_of};

/// The fields that are requested, so that nothing unused is sent. (`login` contains the id, and a password that we
/// drop.)
const FIELDS: &str = "gender,name,location,email,login,registered,dob,phone,picture,nat";
/// A response is five levels deep.
const DEEPEST: u32 = 16;

/// Requests people from the service.
pub(crate) struct Fetcher {
    client: HttpClient,
    url: Url,
    results: usize,
    max_response_bytes: u64,
}

impl Fetcher {
    pub(crate) fn new(config: &RandomUserConfig) -> Result<Fetcher, String> {
        let target = UrlHost::parse(&config.url, Reach::Public)?;
        Ok(Fetcher {
            client: HttpClient::new(&target, config.timeout.get(), None)?,
            url: request_url(target.url().clone(), config),
            results: usize::from(config.results),
            max_response_bytes: config.max_response_size.bytes(),
        })
    }

    /// The people of one response, or the reason for their absence, as a sentence about the host.
    pub(crate) async fn users(&self) -> Result<Vec<User>, String> {
        let request = self.client.client().get(self.url.clone());
        let response = self.client.send(request.header(ACCEPT, "application/json"));
        let response = response.await.map_err(|error| error.message)?;
        check_head(&response).map_err(|reason| self.about_host(&reason))?;
        let body = self.client.body(response, self.max_response_bytes).await;
        let body = body.map_err(|error| error.message)?;
        self.users_of_body(body)
            .map_err(|reason| self.about_host(&reason))
    }

    fn users_of_body(&self, body: Vec<u8>) -> Result<Vec<User>, String> {
        let limits = JsonLimits {
            depth: DEEPEST,
            ..JsonLimits::default()
        };
        let value = Value::parse_json(body.into(), limits)
            .map_err(|error| format!("responds with invalid JSON: {error}"))?;
        users_of(&value, self.results)
            .map_err(|reason| format!("responds in another form than API 1.4: {reason}"))
    }

    fn about_host(&self, what: &str) -> String {
        self.client.error(what).message
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
