//! What stands in a `[source]` table of type `random_user`.

use connect_api::{Duration, Finding, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::UrlHost;
use crate::nationality::Nationality;

/// Every key has a default: an empty table fetches one person a minute.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomUserConfig {
    /// Where the API is. `https`, and a public address; `http` and a loopback address only where the host is written as
    /// one (for a server of your own). No other host is ever asked: redirects are refused.
    pub url: String,
    /// How often to fetch. What was missed while stopped is fetched once, and fetches never overlap.
    pub every: Duration,
    /// People a fetch.
    #[schemars(range(min = 1, max = 5_000))]
    pub results: u16,
    /// Only people of these nationalities; empty means all.
    pub nationalities: Vec<Nationality>,
    /// How long one fetch may take, from looking up the name to the last byte.
    pub timeout: Duration,
    /// How much one answer may be; a person takes a little more than 1 KiB.
    pub max_response_size: Size,
    /// What to do while the service does not answer.
    pub offline: Offline,
}

/// What to do while the service does not answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// Wait for it; the connector says what it waits for.
    #[default]
    Wait,
    /// Make people up, marked `"generated": true`. Every fetch asks the service first.
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
    /// What the schema cannot say.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Err(reason) = UrlHost::parse(&self.url) {
            let finding = Finding::error("random-user.url", "/url", reason)
                .with_help("the service is at https://randomuser.me/api/, which is the default");
            findings.push(finding);
        }
        if self.every < SHORTEST_EVERY {
            let message = format!(
                "`every` is {}; at least {SHORTEST_EVERY} is expected",
                self.every
            );
            let finding = Finding::error("random-user.every", "/every", message)
                .with_help("write `results = 100` to get more people with each fetch");
            findings.push(finding);
        }
        if self.timeout.get().is_zero() {
            let message = "`timeout` is 0: no answer is that fast";
            findings.push(Finding::error("random-user.timeout", "/timeout", message));
        }
        findings
    }
}
