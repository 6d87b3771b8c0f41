#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use connect_api::FilePath;
use connect_config::{HttpAddress, HttpConfig};
use connect_engine::{Counters, PartitionStatus, Reason};

use super::guard::is_local;
use super::serve::MOST_CONNECTIONS;
use super::*;

fn status(name: &str, state: ConnectorState) -> ConnectorStatus {
    ConnectorStatus {
        state,
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
        partitions: vec![PartitionStatus {
            topic: "PointOfSale".into(),
            partition: 3,
            task: Some(1),
            position: Some(91),
            end: Some(100),
            lag_records: Some(9),
            lag_seconds: Some(1.5),
        }],
        last_commit_ms: Some(1_763_668_800_500),
        ..crate::screen::idle_status(name)
    }
}

struct Served {
    address: SocketAddr,
    _server: HttpServer,
}

fn at(address: SocketAddr) -> HttpConfig {
    HttpConfig {
        address: HttpAddress::At(address),
        ..HttpConfig::default()
    }
}

fn any_port() -> HttpConfig {
    at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn serve_statuses(statuses: Vec<ConnectorStatus>) -> Served {
    serve(&any_port(), statuses)
}

fn serve(wanted: &HttpConfig, statuses: Vec<ConnectorStatus>) -> Served {
    let bound = bind(wanted).unwrap().unwrap();
    Served {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, bound.address().port())),
        _server: HttpServer::start(bound, Arc::new(move || statuses.clone())).unwrap(),
    }
}

/// Status line and body.
fn ask(server: &Served, method: &str, path: &str, host: &str) -> (String, String) {
    ask_with(server, method, path, &format!("Host: {host}"))
}

fn ask_with(server: &Served, method: &str, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let lower = answer.to_ascii_lowercase();
    assert!(!lower.contains("access-control"), "{answer}");
    assert!(
        lower.contains("x-content-type-options: nosniff"),
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
    let server = serve_statuses(vec![status("sales", ConnectorState::Running)]);
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
    for path in ["/connectors/x", "/connector"] {
        assert_eq!(ask(&server, "GET", path, "localhost").0, "404 Not Found");
    }
}

#[test]
fn readiness_follows_states_and_liveness_does_not() {
    for (states, expected) in [
        (
            vec![
                ConnectorState::Running,
                ConnectorState::Stopped,
                ConnectorState::Unassigned,
            ],
            "200 OK",
        ),
        (
            vec![ConnectorState::Running, ConnectorState::Failed],
            "503 Service Unavailable",
        ),
        (vec![ConnectorState::Restarting], "503 Service Unavailable"),
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
    let mut waiting = status("sales", ConnectorState::Waiting);
    waiting.reason = Some(Reason {
        code: "database",
        text: "no database".into(),
        since_ms: 0,
        retry_at_ms: Some(1_500),
    });
    let server = serve_statuses(vec![waiting]);
    let (_, body) = ask(&server, "GET", "/connectors", "localhost");
    let found: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!([{
        "name": "sales", "type": "sink", "plugin": "postgres", "state": "WAITING",
        "reason": {
            "code": "database",
            "text": "no database",
            "since": "1970-01-01T00:00:00.000Z",
            "again_at": "1970-01-01T00:00:01.500Z",
        },
        "guarantee": "exactly once", "fingerprint": "00000000", "tasks": 2, "lag": 9, "lag_seconds": 1.5,
        "last_commit": "2025-11-20T20:00:00.500Z",
        "records": {
            "consumed": 100, "delivered": 80, "dead_lettered": 3, "filtered": 4, "given_back": 5, "in_flight": 8,
            "rows": 240, "retries": 1,
        },
        "partitions": [{
            "topic": "PointOfSale", "partition": 3, "task": 1, "position": 91, "end": 100, "lag": 9, "lag_seconds": 1.5,
        }],
    }]);
    assert_eq!(found, expected);
    let (_, body) = ask(&server, "GET", "/connectors/sales", "localhost");
    let found: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(found, expected[0]);
}

#[test]
fn a_scrape() {
    let mut sales = status("sales", ConnectorState::Waiting);
    sales.reason = Some(Reason {
        code: "kafka",
        text: "no broker".into(),
        since_ms: 1_763_668_700_000,
        retry_at_ms: None,
    });
    let stage = ("value-converter", "ContractViolation");
    sales.rejections.insert(stage, 3);
    sales.batch_seconds.buckets[2] = 4;
    sales.batch_seconds.count = 5;
    sales.batch_seconds.sum = 700.25;
    let text = metrics::render(&[sales], metrics::TextFormat::OpenMetrics).unwrap();
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
        r#"connect_records_rejected_total{connector="sales",stage="value-converter",reason="ContractViolation"} 3"#,
        r#"connect_lag_records{connector="sales"} 9"#,
        r#"connect_lag_seconds{connector="sales"} 1.5"#,
        r#"connect_partition_lag_records{connector="sales",topic="PointOfSale",partition="3"} 9"#,
        r#"connect_waiting_since_seconds{connector="sales",reason="kafka"} 1763668700.0"#,
        r#"connect_last_commit_timestamp_seconds{connector="sales"} 1763668800.5"#,
        r#"connect_connector_state{connector="sales",state="RUNNING"} 0"#,
        r#"connect_connector_state{connector="sales",state="WAITING"} 1"#,
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
        "# TYPE process_cpu_seconds counter",
        "# TYPE process_resident_memory_bytes gauge",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line}\nis not in\n{text}"
        );
    }
}

#[test]
fn a_used_default_port_is_replaced_and_a_configured_one_is_not() {
    let default = HttpConfig::default();
    // Whatever else listens there, a second server finds another port.
    let first = bind(&default).unwrap().unwrap();
    let second = bind(&default).unwrap().unwrap();
    assert!(second.address().port() > first.address().port());
    assert_eq!(second.moved_from(), Some(8083));
    let cause = bind(&at(first.address())).err().unwrap();
    assert!(
        cause.message.contains(&first.address().to_string()),
        "{cause}"
    );
    let off = HttpConfig {
        address: HttpAddress::Off,
        ..default
    };
    assert!(bind(&off).unwrap().is_none());
}

#[test]
fn silent_connections_end_and_make_room() {
    let server = serve_statuses(Vec::new());
    let connect = || TcpStream::connect(server.address).unwrap();
    let mut idle: Vec<TcpStream> = (0..MOST_CONNECTIONS).map(|_| connect()).collect();
    for (index, stream) in idle.iter_mut().enumerate() {
        // Half of them have started a request.
        if index % 2 == 0 {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
        }
    }
    assert_eq!(ask(&server, "GET", "/livez", "localhost").0, "200 OK");
    for stream in &mut idle {
        let mut rest = Vec::new();
        // It may be closed with or without a response.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }
}

#[test]
fn http_2_is_refused() {
    let server = serve_statuses(vec![status("sales", ConnectorState::Running)]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
}

#[test]
fn with_a_token_only_probes_are_answered_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let wanted = HttpConfig {
        token_file: FilePath::parse(&file.to_string_lossy()).ok(),
        ..any_port()
    };
    let server = serve(&wanted, vec![status("sales", ConnectorState::Running)]);
    let cases = [
        ("/livez", "", "200 OK"),
        ("/readyz", "", "200 OK"),
        ("/connectors", "", "401 Unauthorized"),
        ("/metrics", "", "401 Unauthorized"),
        ("/nothing", "", "401 Unauthorized"),
        ("/connectors", "Bearer 0123456789abcdef", "200 OK"),
        ("/metrics", "bearer 0123456789abcdef", "200 OK"),
        ("/metrics", "Bearer 0123456789abcdeg", "401 Unauthorized"),
        ("/metrics", "Bearer 0123456789abcdef0", "401 Unauthorized"),
        ("/metrics", "Bearer ", "401 Unauthorized"),
        ("/metrics", "Basic 0123456789abcdef", "401 Unauthorized"),
        ("/metrics", "0123456789abcdef", "401 Unauthorized"),
    ];
    for (path, authorization, expected) in cases {
        let headers = format!("Host: localhost\r\nAuthorization: {authorization}");
        let (status, body) = ask_with(&server, "GET", path, &headers);
        assert_eq!(status, expected, "{path} {authorization}");
        assert_eq!(
            body.contains("sales"),
            expected == "200 OK" && !path.ends_with('z')
        );
    }
    for text in ["", "short", "two words of a token", "\n"] {
        std::fs::write(&file, text).unwrap();
        let cause = bind(&wanted).err().unwrap();
        assert!(
            cause.message.contains("does not contain a token"),
            "{cause}"
        );
    }
}

#[test]
fn other_machines_are_answered_only_on_purpose_and_get_no_reasons() {
    let mut open = at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let cause = bind(&open).err().unwrap();
    assert!(cause.help.unwrap().contains("insecure = true"));
    open.insecure = true;
    let mut waiting = status("sales", ConnectorState::Waiting);
    waiting.reason = Some(Reason {
        code: "database",
        text: "GRANT INSERT ON payments TO app on db.internal".into(),
        since_ms: 0,
        retry_at_ms: None,
    });
    let server = serve(&open, vec![waiting]);
    let (answer, body) = ask(&server, "GET", "/connectors", "metrics.example");
    assert_eq!(answer, "200 OK");
    assert!(body.contains("sales") && !body.contains("GRANT"), "{body}");
}
