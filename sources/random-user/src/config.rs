//! The keys of a `[source]` table of type `random_user`.

use connect_api::{Duration, Finding, Size};
use connect_http::{Reach, UrlHost};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nationality::Nationality;

/// Every key has a default: an empty table fetches one person per minute.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomUserConfig {
    /// The address of the API: `https` and a public address. `http` and a loopback address are allowed only if the
    /// host is written as one (for your own server). Redirects are refused, so no other host is requested.
    pub url: String,
    /// The interval between fetches. If ticks were missed during a stop, one fetch makes up for them; fetches never
    /// overlap.
    pub every: Duration,
    /// People per fetch.
    #[schemars(range(min = 1, max = 5_000))]
    pub results: u16,
    /// Only people of these nationalities; empty means all.
    pub nationalities: Vec<Nationality>,
    /// The limit for one fetch, from the name lookup to the last byte.
    pub timeout: Duration,
    /// The size limit of one response; a person takes a little more than 1 KiB.
    pub max_response_size: Size,
    /// What to do while the service does not respond.
    pub offline: Offline,
}

/// What to do while the service does not respond.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// Wait; the connector's status says for what.
    #[default]
    Wait,
    /// Generate people, marked `"generated": true`. Every fetch tries the service first.
    Generate,
}

impl Default for RandomUserConfig {
    fn default() -> Self {
        RandomUserConfig {
            url: "https://randomuser.me/api/".into(),
            every: Duration::from_millis(60_000),
            results: 1,
            nationalities: Vec::new(),
            timeout: Duration::from_millis(10_000),
            max_response_size: Size::from_bytes(8 << 20),
            offline: Offline::default(),
        }
    }
}

const SHORTEST_EVERY: Duration = Duration::from_millis(100);

impl RandomUserConfig {
    /// Checks that the schema cannot express.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Err(reason) = UrlHost::parse(&self.url, Reach::Public) {
            let finding = Finding::error("random-user.url", "/url", reason)
                .with_help("the default is the service itself, https://randomuser.me/api/");
            findings.push(finding);
        }
        if self.every < SHORTEST_EVERY {
            let message = format!(
                "`every` is {}; expected at least {SHORTEST_EVERY}",
                self.every
            );
            let finding = Finding::error("random-user.every", "/every", message)
                .with_help("set `results = 100` to get more people with each fetch");
            findings.push(finding);
        }
        if self.timeout.get().is_zero() {
            let message = "`timeout` is 0; expected more, such as \"10s\"";
            findings.push(Finding::error("random-user.timeout", "/timeout", message));
        }
        findings
    }
}
