//! The messages of `run` at its start and end: lines on a terminal, log events elsewhere.

use std::path::{Path, PathBuf};

use connect_api::Guarantee;
use connect_api::text::counted;
use connect_config::{Loaded, ProcessConfig};
use connect_engine::{ConnectorStatus, Summary};
use connect_kafka::Embedded;

use super::embedded::Servers;
use crate::embedded::SERVICE_NAME;
use crate::http::BoundPort;
use crate::screen::{Screen, grouped, seconds};

/// `whole`: some connectors have no errors and could run.
pub(super) fn refusal(errors: usize, whole: bool, program: &str, folder: &Path) -> String {
    let folder = folder.display();
    let errors = counted(errors as u64, "error");
    let keep_going = if whole {
        format!("\n  {program} run --keep-going {folder}    runs the connectors without errors")
    } else {
        String::new()
    };
    format!(
        "\n{errors}: no connector was started\n  {program} check {folder}               shows the errors again{keep_going}"
    )
}

/// Prints or logs the addresses and what was loaded.
pub(super) fn print_start(
    screen: &Screen,
    loaded: &Loaded,
    servers: Option<&Servers>,
    http: Option<&BoundPort>,
) {
    if screen.is_live() {
        for (word, text) in start_lines(loaded, servers, http) {
            screen.line(&format!("  {word:<10} {text}"));
        }
    } else {
        log_start(loaded, servers, http)
    }
}

fn start_lines(
    loaded: &Loaded,
    servers: Option<&Servers>,
    http: Option<&BoundPort>,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match servers {
        Some(servers) => {
            lines.push(("kafka", embedded_kafka(servers)));
            let file = below_current_folder(servers.postgres.service_file());
            let version = servers.postgres.version();
            let psql = psql_command(&file);
            lines.push(("postgres", format!("{psql}   ({version})")));
        }
        None => lines.push(("kafka", kafka_address(&loaded.process))),
    }
    lines.push(("checked", checked(loaded)));
    if let Some(http) = http {
        let moved = match http.moved_from() {
            Some(port) => format!("; port {port} is in use"),
            None => String::new(),
        };
        let open = if http.is_open() {
            "; accepts requests from other machines without a token or encryption"
        } else {
            ""
        };
        let url = http.url();
        lines.push((
            "listening",
            format!("{url}  (metrics, health, connectors{moved}{open})"),
        ));
    }
    lines
}

fn kafka_address(process: &ProcessConfig) -> String {
    let servers = &process.bootstrap_servers;
    if process.servers_are_default {
        format!("{servers}  {DEFAULT_SERVERS}")
    } else {
        servers.clone()
    }
}

const DEFAULT_SERVERS: &str =
    "default: neither KAFKA_BOOTSTRAP_SERVERS nor connect.toml sets the address";

/// Without the password, because every user of the machine can read the arguments of a process.
fn psql_command(service_file: &Path) -> String {
    let file = service_file.display();
    format!("PGSERVICEFILE={file} psql service={SERVICE_NAME}")
}

fn embedded_kafka(servers: &Servers) -> String {
    let address = servers.kafka.bootstrap().unwrap_or_default();
    let kept = Embedded::BYTES_PER_PARTITION >> 20;
    format!(
        "{address}  in process, for trying out: keeps {kept} MiB per partition until exit; \
         Kafka to Kafka is only at least once"
    )
}

/// `6 connectors · 4 contracts · 0 findings`
fn checked(loaded: &Loaded) -> String {
    let whole = counted(loaded.connectors.len() as u64, "connector");
    let connectors = match loaded.broken.len() {
        0 => whole,
        broken => format!("{whole}, {broken} broken"),
    };
    let contracts = counted(loaded.contracts as u64, "contract");
    let findings = counted(loaded.findings.iter().len() as u64, "finding");
    format!("{connectors} · {contracts} · {findings}")
}

fn log_start(loaded: &Loaded, servers: Option<&Servers>, http: Option<&BoundPort>) {
    if let Some(servers) = servers {
        let kafka = servers.kafka.bootstrap().unwrap_or_default();
        let url_file = below_current_folder(servers.postgres.url_file());
        tracing::info!(
            event = "embedded_started",
            kafka,
            postgres = servers.postgres.version(),
            url_file = %url_file.display(),
            "for trying out: Kafka keeps its records until exit, and Kafka to Kafka is only at least once"
        );
    }
    tracing::info!(
        event = "configuration_loaded",
        connectors = loaded.connectors.len(),
        broken = loaded.broken.len(),
        contracts = loaded.contracts,
        findings = loaded.findings.iter().len(),
        kafka = servers
            .is_none()
            .then_some(loaded.process.bootstrap_servers.as_str()),
    );
    if servers.is_none() && loaded.process.servers_are_default {
        let kafka = &loaded.process.bootstrap_servers;
        tracing::warn!(event = "kafka_address_default", kafka, "{DEFAULT_SERVERS}");
    }
    if let Some(http) = http {
        tracing::info!(event = "listening", address = %http.address(), taken = http.moved_from());
        if http.is_open() {
            tracing::warn!(
                event = "http_insecure",
                address = %http.address(),
                "HTTP accepts requests from other machines without a token or encryption"
            );
        }
    }
}

/// Prints or logs the totals and how the run ended.
pub(super) fn print_end(screen: &Screen, summary: &Summary, stopped: bool) {
    let totals = Totals::of(summary);
    if screen.is_live() {
        screen.line(&format!("  {}", totals.line(summary, stopped)))
    } else {
        tracing::info!(
            event = "stopped",
            drained_seconds = summary.drained_in.as_millis() as f64 / 1000.0,
            abandoned = summary.abandoned,
            consumed = totals.consumed,
            written = totals.written,
            dead_lettered = totals.dead_lettered,
            failed = summary.failed().count(),
        )
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    consumed: u64,
    written: u64,
    dead_lettered: u64,
}

impl Totals {
    fn of(summary: &Summary) -> Totals {
        let mut totals = Totals::default();
        for status in &summary.connectors {
            let counters = status.counters;
            totals.consumed += counters.consumed;
            totals.written += match counters.rows {
                0 => counters.delivered,
                rows => rows,
            };
            totals.dead_lettered += counters.dead_lettered;
        }
        totals
    }

    /// `stopped    drained in 0.4 s · 12 480 in · 43 190 rows out · 3 dead letters`
    fn line(self, summary: &Summary, stopped: bool) -> String {
        let how = match (stopped, summary.abandoned) {
            (true, false) => format!("stopped    drained in {}", seconds(summary.drained_in)),
            (true, true) => format!(
                "stopped    grace period exceeded after {}: {}",
                seconds(summary.drained_in),
                replayed("records in flight", &summary.connectors)
            ),
            (false, _) => "ended      every connector has stopped or failed".to_owned(),
        };
        let mut line = format!(
            "{how} · {} in · {} rows out",
            grouped(self.consumed),
            grouped(self.written)
        );
        match self.dead_lettered {
            0 => {}
            1 => line.push_str(" · 1 dead letter"),
            letters => line.push_str(&format!(" · {} dead letters", grouped(letters))),
        }
        line
    }
}

/// The response to a second signal.
pub(super) fn print_abandoned(screen: &Screen, statuses: &[ConnectorStatus]) {
    let in_flight = statuses.iter().map(|status| status.counters.in_flight);
    let what = format!("{} in flight", counted(in_flight.sum(), "record"));
    let replayed = replayed(&what, statuses);
    if screen.is_live() {
        screen.line(&format!("  stopped    at once: {replayed}"));
    } else {
        tracing::warn!(event = "stopped_at_once", "{replayed}");
    }
}

/// The consequence of a stop without draining for the records in flight.
fn replayed(what: &str, statuses: &[ConnectorStatus]) -> String {
    let is_exact = |status: &ConnectorStatus| status.guarantee == Guarantee::ExactlyOnce;
    let duplicates = if statuses.iter().all(is_exact) {
        "no loss, no duplicates"
    } else {
        "no loss; at-least-once sinks may have duplicates"
    };
    format!("{what} are replayed at the next start ({duplicates})")
}

/// The path that a person in the current folder would type.
fn below_current_folder(path: PathBuf) -> PathBuf {
    let current = std::env::current_dir().and_then(|current| current.canonicalize());
    let below = current
        .ok()
        .and_then(|current| path.strip_prefix(current).ok().map(PathBuf::from));
    below.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use connect_config::HttpConfig;

    use super::*;

    #[test]
    fn an_address_that_is_not_configured_is_marked_as_default() {
        let process = |servers_are_default| ProcessConfig {
            file: None,
            bootstrap_servers: "localhost:9092".to_owned(),
            servers_are_default,
            kafka: BTreeMap::new(),
            registry: None,
            http: HttpConfig::default(),
        };
        assert_eq!(kafka_address(&process(false)), "localhost:9092");
        assert_eq!(
            kafka_address(&process(true)),
            "localhost:9092  default: neither KAFKA_BOOTSTRAP_SERVERS nor connect.toml sets the address"
        );
    }

    #[test]
    fn the_line_to_type_puts_no_password_into_arguments() {
        assert_eq!(
            psql_command(Path::new(".connect/postgres/service")),
            "PGSERVICEFILE=.connect/postgres/service psql service=connect"
        );
    }
}
