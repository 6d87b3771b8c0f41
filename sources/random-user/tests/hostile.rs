//! The source against servers that respond correctly, wrongly, or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Response, Uri};
use axum::routing::get;
use connect_api::{
    CheckContext, Failure, FieldPath, Polled, Positions, Source, SourceContext, SourcePlugin,
};
use connect_source_random_user::{RandomUser, RandomUserConfig, RandomUserSource};
use serde_json::json;
use tokio::sync::mpsc;

const PEOPLE: &str = include_str!("answers/two-people.json");

/// A server on a free port of this machine, and its address.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/api/")
}

/// A server that always gives this response.
async fn serve_answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> String {
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let body = body.into();
    let answer = move || {
        let mut response = Response::builder().status(status);
        for (name, value) in &headers {
            response = response.header(name, value);
        }
        let response = response.body(Body::from(body.clone())).unwrap();
        async move { response }
    };
    serve(Router::new().fallback(get(answer))).await
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

async fn open_at(positions: Positions, config: serde_json::Value) -> RandomUserSource {
    let config: RandomUserConfig = serde_json::from_value(config).unwrap();
    assert_eq!(RandomUser::check(&config, &CheckContext::default()), []);
    let context = SourceContext {
        connector: "random-user".into(),
        positions,
    };
    RandomUser::open(&config, context).await.unwrap()
}

async fn open(config: serde_json::Value) -> RandomUserSource {
    open_at(Positions::default(), config).await
}

/// The reason of the outage, as the engine would show it.
async fn reason(config: serde_json::Value) -> String {
    match open(config).await.poll().await {
        Err(Failure::Retry(cause)) => {
            assert!(cause.help.unwrap().contains(r#"offline = "generate""#));
            cause.message
        }
        other => panic!("an outage was expected, found {other:?}"),
    }
}

fn field(polled: &Polled, record: usize, path: &str) -> String {
    let value = polled.records[record].value.as_ref().unwrap();
    let path = FieldPath::parse(path).unwrap();
    path.follow(value.root()).unwrap().to_json()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a handful of requests")]
async fn people_are_fetched_and_the_tick_is_the_position() {
    let (asked, mut requests) = mpsc::unbounded_channel();
    let answer = move |uri: Uri| async move {
        asked.send(uri).unwrap();
        Response::builder()
            .header(JSON.0, JSON.1)
            .body(Body::from(PEOPLE))
            .unwrap()
    };
    let url = serve(Router::new().route("/api/", get(answer))).await;
    let config =
        json!({ "url": url, "results": 2, "nationalities": ["br", "ca"], "every": "8760h" });
    let polled = open(config.clone()).await.poll().await.unwrap();
    assert_eq!(polled.records.len(), 2);
    assert_eq!(field(&polled, 0, "$.first_name"), r#""Jéssica""#);
    assert_eq!(field(&polled, 1, "$.first_name"), r#""علی""#);
    assert_eq!(field(&polled, 1, "$.generated"), "false");
    let query = requests.recv().await.unwrap().query().unwrap().to_owned();
    assert!(query.starts_with("results=2&inc=gender%2Cname"), "{query}");
    assert!(query.ends_with("&noinfo&nat=br%2Cca"), "{query}");

    let stored: Vec<_> = polled.positions.iter().collect();
    assert_eq!(stored[0].0, r#"{"fetcher":"random_user"}"#);
    let offset: serde_json::Value = serde_json::from_str(stored[0].1).unwrap();
    let tick = offset["last_tick"].as_i64().unwrap();
    assert_eq!(tick % 31_536_000_000, 0);

    // The tick is done: after a restart nothing is requested until the next one.
    let mut restarted = open_at(polled.positions.clone(), config).await;
    let patience = std::time::Duration::from_millis(50);
    assert!(
        tokio::time::timeout(patience, restarted.poll())
            .await
            .is_err()
    );
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn ticks_that_were_missed_run_once() {
    let url = serve_answer(200, &[JSON], PEOPLE).await;
    let mut positions = Positions::default();
    positions.insert_json(
        r#"{"fetcher":"random_user"}"#.into(),
        r#"{"last_tick":0}"#.into(),
    );
    let config = json!({ "url": url, "results": 2, "every": "8760h" });
    let mut source = open_at(positions, config).await;
    assert_eq!(source.poll().await.unwrap().records.len(), 2);
    let patience = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, source.poll()).await.is_err());
}

#[tokio::test]
async fn bad_answers_are_outages_with_a_reason() {
    let check = async |status: u16, headers: &[(&str, &str)], body: &str, expected: &str| {
        let url = serve_answer(status, headers, body.to_owned()).await;
        let reason = reason(json!({ "url": url, "results": 2 })).await;
        assert!(reason.starts_with("127.0.0.1 "), "{reason}");
        assert!(reason.contains(expected), "{expected}: {reason}");
    };
    let html = ("content-type", "text/html");
    let gzip = ("content-encoding", "gzip");
    check(500, &[JSON], PEOPLE, "responds with status 500").await;
    check(503, &[JSON], PEOPLE, "responds with status 503").await;
    check(404, &[html], "<h1>no</h1>", "responds with status 404").await;
    check(204, &[JSON], "", "responds with status 204").await;
    check(429, &[JSON], "{}", "too many requests (429)").await;
    check(200, &[html], "<h1>log in</h1>", "of type `text/html`").await;
    check(200, &[], PEOPLE, "content of type ``").await;
    check(200, &[JSON, gzip], "\u{1f}\u{8b}", "compressed body").await;
    check(200, &[JSON], "", "invalid JSON").await;
    check(200, &[JSON], r#"{"results":["#, "invalid JSON").await;
    check(200, &[JSON], r#"{"a":1,"a":2}"#, "twice in one object").await;
    check(200, &[JSON], "[]", "no array `results`").await;
    check(
        200,
        &[JSON],
        r#"{"results":[{}]}"#,
        "results[0].location.street",
    )
    .await;
    check(200, &[JSON], r#"{"error":"Uh oh"}"#, "reports an error").await;
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let deep = "[".repeat(100_000);
    let url = serve_answer(200, &[JSON], deep).await;
    let reason = reason(json!({ "url": url })).await;
    assert!(reason.contains("nested more than 16 deep"), "{reason}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let target = serve(Router::new().fallback(get(move || async move {
        count.fetch_add(1, Ordering::SeqCst);
    })))
    .await;
    for status in [301, 302, 303, 307, 308] {
        let url = serve_answer(status, &[("location", &target)], "").await;
        let reason = reason(json!({ "url": url })).await;
        assert!(reason.contains(&format!("redirect ({status})")), "{reason}");
        assert!(!reason.contains(&target), "{reason}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no request went there");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let endless = || async {
        let chunk = || Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b' '; 4_096]));
        Response::builder()
            .header(JSON.0, JSON.1)
            .body(Body::from_stream(futures_util::stream::repeat_with(chunk)))
            .unwrap()
    };
    let url = serve(Router::new().route("/api/", get(endless))).await;
    let reason = reason(json!({ "url": url, "max_response_size": "64KiB" })).await;
    assert!(
        reason.contains("more than 64KiB (`max_response_size`)"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_response_with_a_huge_content_length_is_not_read() {
    let url = serve_answer(200, &[JSON], vec![b' '; 200_000]).await;
    let reason = reason(json!({ "url": url, "max_response_size": "100kB" })).await;
    assert!(reason.contains("more than 100000B"), "{reason}");
}

#[tokio::test]
async fn a_server_that_never_responds_times_out() {
    let silent = || async { std::future::pending::<String>().await };
    let url = serve(Router::new().route("/api/", get(silent))).await;
    let reason = reason(json!({ "url": url, "timeout": "200ms" })).await;
    assert_eq!(reason, "127.0.0.1 does not respond within 200ms");
}

#[tokio::test]
async fn a_closed_port_is_reported() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(
        reason(json!({ "url": url })).await,
        "127.0.0.1 does not respond (connection refused)"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_reported() {
    let reason = reason(json!({ "url": "https://nobody.invalid/api/", "timeout": "30s" })).await;
    assert_eq!(reason, "nobody.invalid does not respond (dns)");
}

#[tokio::test]
async fn offline_people_are_made_up_and_marked() {
    let url = serve_answer(500, &[], "").await;
    let config = json!({
        "url": url, "results": 25, "every": "8760h", "offline": "generate", "nationalities": ["ie"]
    });
    let polled = open(config).await.poll().await.unwrap();
    assert_eq!(polled.records.len(), 25);
    for record in 0..25 {
        assert_eq!(field(&polled, record, "$.generated"), "true");
        assert_eq!(field(&polled, record, "$.nationality"), r#""IE""#);
        assert_eq!(field(&polled, record, "$.picture"), "null");
    }
    assert!(!polled.positions.is_empty());
}

#[tokio::test]
async fn a_recovered_service_is_used_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = move || {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let status = if first { 503 } else { 200 };
        let response = Response::builder().status(status).header(JSON.0, JSON.1);
        async move { response.body(Body::from(PEOPLE)).unwrap() }
    };
    let url = serve(Router::new().route("/api/", get(answer))).await;
    // Waiting: the same tick is requested again.
    let mut source = open(json!({ "url": url, "results": 2, "every": "8760h" })).await;
    assert!(matches!(source.poll().await, Err(Failure::Retry(_))));
    assert_eq!(source.poll().await.unwrap().records.len(), 2);
    // Generating: the next tick tries the service again.
    asked.store(0, Ordering::SeqCst);
    let config = json!({ "url": url, "results": 2, "every": "100ms", "offline": "generate" });
    let mut source = open(config).await;
    let made_up = source.poll().await.unwrap();
    assert_eq!(field(&made_up, 0, "$.generated"), "true");
    let fetched = source.poll().await.unwrap();
    assert_eq!(field(&fetched, 0, "$.generated"), "false");
}

#[test]
fn configuration_that_cannot_work_is_found() {
    let check = |config: serde_json::Value, pointer: &str, expected: &str| {
        let config: RandomUserConfig = serde_json::from_value(config).unwrap();
        let findings = RandomUser::check(&config, &CheckContext::default());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].pointer, pointer);
        assert!(findings[0].message.contains(expected), "{findings:?}");
        let known = RandomUser::EXPLANATIONS.iter().map(|known| known.code);
        assert!(known.into_iter().any(|code| code == findings[0].code));
    };
    check(json!({ "url": "nowhere" }), "/url", "not a URL");
    check(
        json!({ "url": "http://10.0.0.1/" }),
        "/url",
        "not a public address",
    );
    check(json!({ "every": "0s" }), "/every", "at least 100ms");
    check(json!({ "timeout": "0s" }), "/timeout", "is 0");
}
