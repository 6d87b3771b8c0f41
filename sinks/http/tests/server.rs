//! The sink against servers that answer well, badly, late or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use connect_api::{CheckContext, Failure, Record, Result, Sink, SinkPlugin, Written, async_trait};
use connect_sink_http::{Config, Http, HttpSink};
use connect_testkit::conformance::{SinkUnderTest, check_sink};
use connect_testkit::{batch, context, record, record_in, tombstone};

/// A request that a server got.
#[derive(Clone, Debug)]
struct Got {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn key(&self) -> &str {
        self.headers["idempotency-key"].to_str().unwrap()
    }
}

/// A server on a free port, which answers as `answer` says and keeps what it got.
struct Server {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    async fn start(
        answer: impl Fn(&Got) -> (u16, &'static [(&'static str, &'static str)], &'static str)
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let keep = got.clone();
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Got {
                method,
                path: uri.to_string(),
                headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            let (status, headers, body) = answer(&request);
            keep.lock().unwrap().push(request);
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            let response = response.body(Body::from(body)).unwrap();
            async move { response }
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { url, got }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    async fn open(&self, path: &str, rest: &str) -> HttpSink {
        open(&format!("url = '{}{path}'\n{rest}", self.url)).await
    }
}

async fn open(config: &str) -> HttpSink {
    let config: Config = toml::from_str(config).unwrap();
    assert_eq!(Http::check(&config, &CheckContext::default()), []);
    Http::open(&config, context()).await.unwrap()
}

fn ok(_: &Got) -> (u16, &'static [(&'static str, &'static str)], &'static str) {
    (200, &[], "")
}

async fn failure(sink: &mut HttpSink, records: &[Record]) -> Failure {
    match sink.write(&batch(records)).await {
        Err(failure) => failure,
        Ok(written) => panic!("{written:?}"),
    }
}

/// A server that honours `Idempotency-Key`: what it took, by key.
#[derive(Default)]
struct Honouring(Option<Server>);

#[async_trait]
impl SinkUnderTest for Honouring {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        if self.0.is_none() {
            self.0 = Some(Server::start(ok).await);
        }
        Ok(Box::new(self.0.as_ref().unwrap().open("/", "").await))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        let got = self.0.as_ref().map_or_else(Vec::new, Server::got);
        let taken: BTreeMap<String, Got> = got
            .into_iter()
            .map(|got| (got.key().to_owned(), got))
            .collect();
        let id = |got: &Got| {
            let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
            body["id"].as_i64().unwrap()
        };
        taken.values().map(id).collect()
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    /// No request is made for any record of a batch with a tombstone.
    fn refused(&self, offset: i64) -> Option<Record> {
        Some(tombstone(offset))
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    check_sink(&mut Honouring::default()).await;
}

#[tokio::test]
async fn one_request_for_each_record() {
    let server = Server::start(ok).await;
    let mut sink = server
        .open(
            "/v1/{topic}/{$.store}?key={#key}&o={partition}.{offset}",
            "headers = { Authorization = 'Bearer x', X-A = 'b' }\nmethod = 'PUT'",
        )
        .await;
    let records = [
        record(1, r#"{"store":"a/../b?#%ü","n":1.50}"#),
        record_in(3, 2, r#"{"store":7}"#),
    ];
    assert_eq!(sink.write(&batch(&records)).await, Ok(Written::Durable));
    let mut got = server.got();
    got.sort_by_key(|got| got.body.clone());
    let paths: Vec<&str> = got.iter().map(|got| &*got.path).collect();
    assert_eq!(
        paths,
        [
            "/v1/records/a%2F..%2Fb%3F%23%25%C3%BC?key=key-1&o=0.1",
            "/v1/records/7?key=key-2&o=3.2"
        ]
    );
    assert_eq!(got[0].body, r#"{"store":"a/../b?#%ü","n":1.50}"#);
    assert_eq!(got[0].key(), "records/0/1");
    assert_eq!(got[0].method, Method::PUT);
    assert_eq!(got[0].headers["authorization"], "Bearer x");
    assert_eq!(got[0].headers["content-type"], "application/json");
    assert_eq!(got[1].key(), "records/3/2");
}

#[tokio::test]
async fn one_request_for_the_records_of_a_partition() {
    let server = Server::start(ok).await;
    let mut sink = server.open("/{topic}", "per = 'batch'").await;
    let records = [
        record(1, r#"{"n":1}"#),
        record_in(3, 2, r#"{"n":2}"#),
        record(4, r#"{"n":4}"#),
    ];
    sink.write(&batch(&records)).await.unwrap();
    let bodies: Vec<String> = server.got().into_iter().map(|got| got.body).collect();
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies.contains(&r#"[{"n":1},{"n":4}]"#.to_owned()),
        "{bodies:?}"
    );
    // The same range with other records is another request.
    let other = [records[0].clone(), record(3, "{}"), records[2].clone()];
    sink.write(&batch(&other)).await.unwrap();
    let keys: std::collections::BTreeSet<String> = server
        .got()
        .iter()
        .map(|got| got.key().to_owned())
        .collect();
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn rejected_records_are_named_and_the_others_are_sent_once() {
    let server = Server::start(|got| match got.body.contains("bad") {
        true => (422, &[], "no such store"),
        false => (201, &[], ""),
    })
    .await;
    let mut sink = server.open("/", "").await;
    let good = [record(0, "{}"), record(2, "{}")];
    let bad = record(1, r#"{"bad":1}"#);
    let all = [good[0].clone(), bad, good[1].clone()];
    let Failure::Refused(rejected) = failure(&mut sink, &all).await else {
        panic!("not rejected");
    };
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].record, 1);
    assert_eq!(rejected[0].cause.code.as_deref(), Some("422"));
    assert_eq!(rejected[0].cause.value.as_deref(), Some("no such store"));
    sink.write(&batch(&good)).await.unwrap();
    assert_eq!(server.got().len(), 3, "nothing is sent twice");
    // A later batch with the same records is a replay, and sent.
    sink.write(&batch(&good)).await.unwrap();
    assert_eq!(server.got().len(), 5);
}

#[tokio::test]
async fn an_outage_stops_its_partition_and_what_was_delivered_is_not_sent_again() {
    let fails = Arc::new(Mutex::new(true));
    let state = fails.clone();
    let server =
        Server::start(
            move |got| match got.key() == "records/0/1" && *state.lock().unwrap() {
                true => (503, &[("retry-after", "0")], ""),
                false => (200, &[], ""),
            },
        )
        .await;
    let mut sink = server.open("/", "").await;
    let records = [record(0, "{}"), record(1, "{}"), record(2, "{}")];
    let outage = failure(&mut sink, &records).await;
    assert!(matches!(outage, Failure::Retry(_)), "{outage:?}");
    *fails.lock().unwrap() = false;
    sink.write(&batch(&records)).await.unwrap();
    let keys: Vec<String> = server
        .got()
        .iter()
        .map(|got| got.key().to_owned())
        .collect();
    let expected = ["records/0/0", "records/0/1", "records/0/1", "records/0/2"];
    assert_eq!(keys, expected);
}

/// A topic that is recreated during an outage has other records at the same offsets.
#[tokio::test]
async fn another_record_at_a_delivered_offset_is_sent() {
    let server = Server::start(|got| match got.key() {
        "records/0/1" => (503, &[], ""),
        _ => (200, &[], ""),
    })
    .await;
    let mut sink = server.open("/", "").await;
    failure(&mut sink, &[record(0, r#"{"n":1}"#), record(1, "{}")]).await;
    sink.write(&batch(&[record(0, r#"{"n":2}"#)]))
        .await
        .unwrap();
    let bodies: Vec<String> = server.got().into_iter().map(|got| got.body).collect();
    assert_eq!(bodies, [r#"{"n":1}"#, "{}", r#"{"n":2}"#]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let server = Server::start(|_| (429, &[("retry-after", "30")], "")).await;
    let mut sink = server.open("/", "timeout = '1h'").await;
    let records = [record(0, "{}")];
    let before = tokio::time::Instant::now();
    failure(&mut sink, &records).await;
    failure(&mut sink, &records).await;
    assert!(before.elapsed().as_secs() >= 30);
}

#[tokio::test]
async fn answers_mean_what_they_say() {
    for (status, headers, expected) in [
        (401, &[][..], "Retry"),
        (403, &[], "Retry"),
        (500, &[], "Retry"),
        (302, &[("location", "http://169.254.169.254/")], "Fatal"),
        (404, &[], "Refused"),
        (413, &[], "Refused"),
    ] {
        let server = Server::start(move |_| (status, headers, "")).await;
        let mut sink = server.open("/", "").await;
        let answer = format!("{:?}", failure(&mut sink, &[record(0, "{}")]).await);
        assert!(
            answer.starts_with(&format!("{expected}(")),
            "{status}: {answer}"
        );
        assert_eq!(server.got().len(), 1);
    }
    for (status, expected) in [(413, "TooMuch"), (400, "RefusedSomewhere")] {
        let server = Server::start(move |_| (status, &[], "")).await;
        let mut sink = server.open("/", "per = 'batch'").await;
        let records = [record(0, "{}"), record(1, "{}")];
        let answer = format!("{:?}", failure(&mut sink, &records).await);
        assert!(
            answer.starts_with(&format!("{expected}(")),
            "{status}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_outage() {
    let mut sink = open("url = 'http://127.0.0.1:1/'").await;
    let answer = failure(&mut sink, &[record(0, "{}")]).await;
    let Failure::Retry(cause) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        cause.to_string(),
        "127.0.0.1 does not respond (connection refused)"
    );
}

#[tokio::test]
async fn a_field_that_no_segment_can_be_rejects_the_record() {
    let server = Server::start(ok).await;
    let mut sink = server.open("/{$.a}/x", "").await;
    for value in [
        r#"{}"#,
        r#"{"a":null}"#,
        r#"{"a":""}"#,
        r#"{"a":".."}"#,
        r#"{"a":{}}"#,
    ] {
        let answer = failure(&mut sink, &[record(0, value)]).await;
        assert!(matches!(answer, Failure::Refused(_)), "{value}: {answer:?}");
    }
    assert_eq!(server.got().len(), 0);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (config, pointer, message) in [
        (
            "url = 'https://{$.host}/'",
            "/url",
            "never chooses the host",
        ),
        (
            "url = 'https://a.{$.host}.com/'",
            "/url",
            "never chooses the host",
        ),
        (
            "url = 'https://a.com{$.path}'",
            "/url",
            "never chooses the host",
        ),
        ("url = 'http://a.com/'", "/url", "expected `https://`"),
        ("url = 'https://10.0.0.1/'", "/url", "not a public address"),
        (
            "url = 'https://a.com/{@.sku}'",
            "/url",
            "an element of `each`",
        ),
        (
            "url = 'https://a.com/{store}'",
            "/url",
            "`{store}` is not known",
        ),
        (
            "url = 'https://a.com/{offset}'\nper = 'batch'",
            "/url",
            "differs from record",
        ),
        (
            "url = 'https://a.com/'\nheaders = { Host = 'b' }",
            "/headers/Host",
            "by the sink itself",
        ),
        (
            "url = 'https://a.com/'\nheaders = { 'a b' = 'b' }",
            "/headers/a b",
            "not the name",
        ),
        (
            "url = 'https://a.com/'\nheaders = { a = \"b\\nc\" }",
            "/headers/a",
            "a line break",
        ),
        ("url = 'https://a.com/'\ntimeout = '0s'", "/timeout", "is 0"),
    ] {
        let parsed: Config = toml::from_str(config).unwrap();
        let findings = Http::check(&parsed, &CheckContext::default());
        assert_eq!(findings.len(), 1, "{config}: {findings:?}");
        assert_eq!(findings[0].pointer, pointer, "{config}");
        assert!(findings[0].message.contains(message), "{findings:?}");
    }
    let private = "url = 'http://10.0.0.1:8080/'\nallow_private = true";
    let parsed: Config = toml::from_str(private).unwrap();
    assert_eq!(Http::check(&parsed, &CheckContext::default()), []);
}
