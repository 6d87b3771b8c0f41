//! Answers and ids that are made to cost more than they are worth.

use axum::body::Body;
use axum::response::{IntoResponse, Redirect, Response};

use super::*;

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// An answer without a length that goes on until its reader goes away.
fn endless(status: u16, start: &'static str, sent: &Arc<Mutex<usize>>) -> Response {
    let sent = Arc::clone(sent);
    let chunks =
        futures_util::stream::iter(std::iter::once(Bytes::from_static(start.as_bytes())).chain(
            std::iter::repeat_with(move || {
                *sent.lock().unwrap() += 1 << 16;
                Bytes::from(vec![b'x'; 1 << 16])
            }),
        ));
    let body = Body::from_stream(futures_util::StreamExt::map(
        chunks,
        Ok::<_, std::io::Error>,
    ));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    // (its status, how it begins, what is said, the most that is sent before the reader goes away)
    let cases = [
        (
            200,
            "{\"schema\": \"",
            "schema id 7 is not read: the registry's response is larger than 16 MiB",
            32 << 20,
        ),
        (
            500,
            "{\"message\": \"",
            "500 Internal Server Error",
            16 << 20,
        ),
    ];
    for (status, start, expected, most) in cases {
        let sent = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&sent);
        let answer = move || async move { endless(status, start, &counted) };
        let router = axum::Router::new().fallback(answer);
        let config: RegistryConfig =
            serde_json::from_value(json!({"url": serve(router).await})).unwrap();
        let contracts = Contracts::new(Some(&config)).unwrap();
        let format: FormatConfig = serde_json::from_value(json!({"registry": {}})).unwrap();
        let decoder = contracts.decoder(Side::Value, &format).unwrap();
        let said = settle(&decoder, &message(7, b"{}")).await.unwrap_err();
        assert!(said.contains(expected), "{said}");
        let sent = *sent.lock().unwrap();
        assert!(sent < most, "{status}: {sent} bytes were sent");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Fake::default().schema("/schemas/ids/7", json_schema(&json!(true)));
    let target = other.start().await;
    let location = format!("{target}/schemas/ids/7");
    let router =
        axum::Router::new().fallback(move || async move { Redirect::temporary(&location) });
    let decoder = decoder(&serve(router).await, json!({"registry": {}}));
    let said = settle(&decoder, &message(7, b"{}")).await.unwrap_err();
    assert!(
        said.starts_with("Retry") && said.contains(&target) && said.contains("not followed"),
        "{said}"
    );
    assert_eq!(other.requests(), [""; 0]);
}

#[tokio::test]
async fn words_of_the_registry_are_cut_and_cannot_forge_a_line() {
    let words = format!("\u{1b}[2J\n2026-01-01 ERROR forged{}", "x".repeat(10_000));
    for (status, code) in [(404, 40403), (500, 50001), (403, 40301)] {
        let problem = json!({"error_code": code, "message": words});
        let fake = Fake::default()
            .answers("/schemas/ids/7", [(status, problem)])
            .schema("/subjects", json!(["mine"]));
        let decoder = decoder(&fake.start().await, json!({"registry": {}}));
        let needed = match decoder.decode("sales", &message(7, b"{}")) {
            Err(DecodeError::SchemaNeeded(needed)) => needed,
            other => panic!("{other:?}"),
        };
        let said = match decoder.fetch(&needed).await {
            Err(failure) => failure.cause().message.clone(),
            Ok(()) => settle(&decoder, &message(7, b"{}")).await.unwrap_err(),
        };
        assert!(
            !said.contains(['\u{1b}', '\n']) && said.contains("ERROR forged") && said.len() < 600,
            "{status}: {said}"
        );
    }
}

/// A registry's ids are signed: it cannot even read the question.
#[tokio::test]
async fn an_id_that_no_registry_gives_is_refused_without_asking() {
    let fake = Fake::default();
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    for id in [1 << 31, u32::MAX] {
        let Err(DecodeError::Refused(rejection)) = decoder.decode("sales", &message(id, b"{}"))
        else {
            panic!("{id}: refused");
        };
        let start = format!("schema id {id} is unknown to the registry");
        assert!(rejection.message.starts_with(&start), "{rejection}");
    }
    assert_eq!(fake.requests(), [""; 0]);
    let largest = message((1 << 31) - 1, b"{}");
    assert!(settle(&decoder, &largest).await.is_err());
    assert_eq!(fake.requests(), ["/schemas/ids/2147483647"]);
}

#[tokio::test]
async fn a_flood_of_unknown_ids_is_slowed_down() {
    let fake = Fake::default();
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    let start = std::time::Instant::now();
    for id in 1..=300 {
        let said = settle(&decoder, &message(id, b"{}")).await.unwrap_err();
        assert!(said.contains("is unknown to the registry"), "{said}");
    }
    assert_eq!(fake.requests().len(), 300);
    // 200 at once and 100 a second after them.
    assert!(start.elapsed() >= std::time::Duration::from_millis(900));
}

/// Small schemas that would cost a stack, or time without end.
#[tokio::test]
async fn a_schema_that_costs_without_bound_is_the_fault_of_its_messages() {
    let chain = |count: usize, link: fn(Json) -> Json| {
        let definitions: serde_json::Map<String, Json> = (0..=count)
            .map(|index| {
                let next = json!({"$ref": format!("#/$defs/a{}", index + 1)});
                let schema = if index == count {
                    json!(true)
                } else {
                    link(next)
                };
                (format!("a{index}"), schema)
            })
            .collect();
        json_schema(&json!({"$ref": "#/$defs/a0", "$defs": definitions}))
    };
    let long = json!({"schemaType": "JSON", "schema": json!({"title": "x".repeat(7 << 20)}).to_string(),
        "references": [{"name": "a", "subject": "a", "version": 1}, {"name": "b", "subject": "b", "version": 1}]});
    let cases = [
        ("chain", chain(19_999, |next| next), "one after the other"),
        (
            "doublings",
            chain(40, |next| json!({"allOf": [next, next]})),
            "times to one value",
        ),
        (
            "length",
            long.clone(),
            "together with its references it is larger than 16 MiB",
        ),
    ];
    for (what, schema, reason) in cases {
        let fake = Fake::default()
            .schema("/schemas/ids/5", schema)
            .schema("/schemas/ids/7", json_schema(&json!({"type": "object"})))
            .schema("/subjects/a/versions/1", long.clone())
            .schema("/subjects/b/versions/1", long.clone());
        let config: RegistryConfig =
            serde_json::from_value(json!({"url": fake.start().await})).unwrap();
        let format: FormatConfig = serde_json::from_value(json!({"registry": {}})).unwrap();
        let contracts = Contracts::new(Some(&config)).unwrap();
        let decoder = contracts.decoder(Side::Value, &format).unwrap();
        let Err(rejection) = settle_fully(&decoder, &message(5, b"{}")).await else {
            panic!("{what}: refused");
        };
        assert!(
            rejection.message.contains("does not compile") && rejection.message.contains(reason),
            "{what}: {rejection}"
        );
        let schema = rejection.contract.unwrap_or_default();
        assert!(schema.contains("schema id 5"), "{what}: {schema}");
        assert!(settle(&decoder, &message(7, b"{}")).await.is_ok(), "{what}");
    }
}
