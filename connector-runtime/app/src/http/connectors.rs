//! What `GET /connectors` says about a connector: no configuration, so nothing secret.

use connect_api::time::format_ms;
use connect_engine::{ConnectorStatus, State};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Connector {
    name: String,
    /// `sink` or `source`.
    #[serde(rename = "type")]
    kind: &'static str,
    plugin: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    guarantee: String,
    tasks: u32,
    /// Records behind the end of the topics, where that is known.
    lag: Option<u64>,
    last_commit: Option<String>,
    records: Records,
}

#[derive(Serialize)]
struct Reason {
    text: String,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    again_at: Option<String>,
}

/// consumed = delivered + dead_lettered + filtered + given_back + in_flight.
#[derive(Serialize)]
struct Records {
    consumed: u64,
    delivered: u64,
    dead_lettered: u64,
    filtered: u64,
    given_back: u64,
    in_flight: u64,
    rows: u64,
    retries: u64,
}

impl Connector {
    pub(super) fn of(status: &ConnectorStatus) -> Connector {
        let counters = status.counters;
        Connector {
            name: status.name.to_string(),
            kind: status.kind,
            plugin: status.plugin,
            state: status.state,
            reason: status.reason.as_ref().map(|reason| Reason {
                text: reason.text.clone(),
                since: format_ms(reason.since_ms),
                again_at: reason.retry_at_ms.map(format_ms),
            }),
            guarantee: status.guarantee.to_string(),
            tasks: status.tasks,
            lag: status.lag,
            last_commit: status.last_commit_ms.map(format_ms),
            records: Records {
                consumed: counters.consumed,
                delivered: counters.delivered,
                dead_lettered: counters.dead_lettered,
                filtered: counters.filtered,
                given_back: counters.given_back,
                in_flight: counters.in_flight,
                rows: counters.rows,
                retries: counters.retries,
            },
        }
    }
}
