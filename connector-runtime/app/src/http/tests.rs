#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpStream;

use connect_api::Guarantee;
use connect_engine::{Counters, Reason};

use super::*;

fn status(name: &str, state: State) -> ConnectorStatus {
    ConnectorStatus {
        name: name.into(),
        kind: "sink",
        plugin: "postgres",
        state,
        reason: None,
        guarantee: Guarantee::ExactlyOnce,
        tasks: 2,
        counters: Counters {
            consumed: 100,
            delivered: 80,
            dead_lettered: 3,
            filtered: 4,
            given_back: 5,
            in_flight: 8,
            batches: 7,
            retries: 1,
            rows: 240,
        },
        lag: Some(9),
        last_commit_ms: Some(1_763_668_800_500),
        batch_seconds: Default::default(),
        end_to_end_seconds: Default::default(),
        lanes: Vec::new(),
    }
}

struct Served {
    address: SocketAddr,
    _server: HttpServer,
}

fn serve_statuses(statuses: Vec<ConnectorStatus>) -> Served {
    let any = HttpAddress::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let bound = bind(any).unwrap().unwrap();
    Served {
        address: bound.address(),
        _server: HttpServer::start(bound, Arc::new(move || statuses.clone())).unwrap(),
    }
}

/// Status line and body.
fn ask(server: &Served, method: &str, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        !answer.to_ascii_lowercase().contains("access-control"),
        "{answer}"
    );
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().trim_start_matches("HTTP/1.1 ");
    (status.to_owned(), body.to_owned())
}

#[test]
fn hosts() {
    for host in [
        "localhost",
        "LOCALHOST:8083",
        "127.0.0.1",
        "127.0.0.1:8083",
        "[::1]",
        "[::1]:8083",
        "::1",
        "10.1.2.3:80",
    ] {
        assert!(is_local(host), "{host}");
    }
    for host in [
        "",
        "evil.example",
        "evil.example:8083",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "a:b",
        "localhost:99999",
        ":8083",
    ] {
        assert!(!is_local(host), "{host}");
    }
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let server = serve_statuses(vec![status("sales", State::Running)]);
    for path in ["/metrics", "/livez", "/readyz", "/connectors", "/"] {
        let (answer, body) = ask(&server, "GET", path, "evil.example");
        assert_eq!(answer, "403 Forbidden", "{path}");
        assert!(!body.contains("sales"));
    }
}

#[test]
fn only_get_is_answered() {
    let server = serve_statuses(Vec::new());
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(
            ask(&server, method, "/connectors", "localhost").0,
            "405 Method Not Allowed"
        );
    }
    assert_eq!(
        ask(&server, "GET", "/connectors/x", "localhost").0,
        "404 Not Found"
    );
}

#[test]
fn readiness_follows_states_and_liveness_does_not() {
    for (states, expected) in [
        (
            vec![State::Running, State::Stopped, State::Unassigned],
            "200 OK",
        ),
        (
            vec![State::Running, State::Failed],
            "503 Service Unavailable",
        ),
        (vec![State::Restarting], "503 Service Unavailable"),
        (vec![], "200 OK"),
    ] {
        let server = serve_statuses(states.iter().map(|state| status("sales", *state)).collect());
        assert_eq!(
            ask(&server, "GET", "/readyz", "localhost").0,
            expected,
            "{states:?}"
        );
        assert_eq!(ask(&server, "GET", "/livez", "localhost").0, "200 OK");
    }
}

#[test]
fn connectors_as_json() {
    let mut waiting = status("sales", State::Running);
    waiting.reason = Some(Reason {
        text: "no database".into(),
        since_ms: 0,
        retry_at_ms: Some(1_500),
    });
    let server = serve_statuses(vec![waiting]);
    let (_, body) = ask(&server, "GET", "/connectors", "localhost");
    let found: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!([{
        "name": "sales", "type": "sink", "plugin": "postgres", "state": "RUNNING",
        "reason": {
            "text": "no database",
            "since": "1970-01-01T00:00:00.000Z",
            "again_at": "1970-01-01T00:00:01.500Z",
        },
        "guarantee": "exactly once", "tasks": 2, "lag": 9, "last_commit": "2025-11-20T20:00:00.500Z",
        "records": {
            "consumed": 100, "delivered": 80, "dead_lettered": 3, "filtered": 4, "given_back": 5, "in_flight": 8,
            "rows": 240, "retries": 1,
        },
    }]);
    assert_eq!(found, expected);
}

#[test]
fn a_scrape() {
    let mut sales = status("sales", State::Running);
    sales.batch_seconds.buckets[2] = 4;
    sales.batch_seconds.count = 5;
    sales.batch_seconds.sum = 700.25;
    let text = metrics::render(&[sales]).unwrap();
    for line in [
        "# TYPE connect_records_consumed counter",
        r#"connect_records_consumed_total{connector="sales"} 100"#,
        r#"connect_records_delivered_total{connector="sales"} 80"#,
        r#"connect_records_dead_lettered_total{connector="sales"} 3"#,
        r#"connect_records_filtered_total{connector="sales"} 4"#,
        r#"connect_records_given_back_total{connector="sales"} 5"#,
        r#"connect_records_in_flight{connector="sales"} 8"#,
        r#"connect_rows_written_total{connector="sales"} 240"#,
        r#"connect_retries_total{connector="sales"} 1"#,
        r#"connect_lag_records{connector="sales"} 9"#,
        r#"connect_last_commit_timestamp_seconds{connector="sales"} 1763668800.5"#,
        r#"connect_connector_state{connector="sales",state="RUNNING"} 1"#,
        r#"connect_connector_state{connector="sales",state="FAILED"} 0"#,
        "# TYPE connect_batch_commit_seconds histogram",
        r#"connect_batch_commit_seconds_bucket{le="0.01",connector="sales"} 0"#,
        r#"connect_batch_commit_seconds_bucket{le="0.025",connector="sales"} 4"#,
        r#"connect_batch_commit_seconds_bucket{le="600.0",connector="sales"} 4"#,
        r#"connect_batch_commit_seconds_bucket{le="+Inf",connector="sales"} 5"#,
        r#"connect_batch_commit_seconds_sum{connector="sales"} 700.25"#,
        r#"connect_batch_commit_seconds_count{connector="sales"} 5"#,
        concat!(
            r#"connect_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
        "# EOF",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nis not in\n{text}"
        );
    }
}

#[test]
fn a_taken_default_port_gives_way_and_a_configured_one_does_not() {
    // Whoever else listens there, a second server of ours finds another port.
    let first = bind(HttpAddress::Default).unwrap().unwrap();
    let second = bind(HttpAddress::Default).unwrap().unwrap();
    assert!(second.address().port() > first.address().port());
    assert_eq!(second.moved_from(), Some(8083));
    let cause = bind(HttpAddress::At(first.address())).err().unwrap();
    assert!(
        cause.message.contains(&first.address().to_string()),
        "{cause}"
    );
    assert!(bind(HttpAddress::Off).unwrap().is_none());
}
