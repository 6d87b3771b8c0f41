//! Against a registry that answers what each test tells it to.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use bytes::Bytes;
use connect_api::{Failure, JsonLimits, Value};
use serde_json::{Value as Json, json};

use crate::{
    Contracts, DecodeError, Decoder, Encoder, FormatConfig, RegistryConfig, Side, ValueFault,
};

mod hostile;
mod outages;
mod protobuf;

type Answer = (u16, String);

/// Answers each path with what was scripted for it, the last answer for ever.
#[derive(Clone, Default)]
struct Fake {
    answers: Arc<Mutex<HashMap<String, VecDeque<Answer>>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn answers(self, path: &str, answers: impl IntoIterator<Item = (u16, Json)>) -> Fake {
        let answers = answers
            .into_iter()
            .map(|(status, body)| (status, body.to_string()));
        self.answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answers.collect());
        self
    }

    fn schema(self, path: &str, schema: Json) -> Fake {
        self.answers(path, [(200, schema)])
    }

    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> (StatusCode, String) {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map_or("", |header| header.to_str().unwrap());
    fake.requests
        .lock()
        .unwrap()
        .push(format!("{path} {authorization}").trim().to_owned());
    let mut answers = fake.answers.lock().unwrap();
    let Some(scripted) = answers.get_mut(&path) else {
        let unknown = json!({"error_code": 40403, "message": "Schema not found"});
        return (StatusCode::NOT_FOUND, unknown.to_string());
    };
    let (status, body) = match scripted.len() {
        1 => scripted[0].clone(),
        _ => scripted.pop_front().unwrap(),
    };
    (StatusCode::from_u16(status).unwrap(), body)
}

fn contracts(url: &str) -> Contracts {
    let config: RegistryConfig =
        serde_json::from_value(json!({"url": url, "timeout": "300ms"})).unwrap();
    Contracts::new(Some(&config)).unwrap()
}

fn decoder(url: &str, config: Json) -> Decoder {
    let config: FormatConfig = serde_json::from_value(config).unwrap();
    contracts(url).decoder(Side::Value, &config).unwrap()
}

fn encoder(url: &str, config: Json) -> Encoder {
    let config: FormatConfig = serde_json::from_value(config).unwrap();
    contracts(url)
        .encoder(Side::Value, &config, "sales")
        .unwrap()
}

fn message(id: u32, body: &[u8]) -> Bytes {
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message.extend(body);
    message.into()
}

/// Decodes and fetches until there is a value or a refusal.
async fn settle(decoder: &Decoder, payload: &Bytes) -> Result<String, String> {
    loop {
        match decoder.decode("sales", payload) {
            Ok(value) => return Ok(value.to_json()),
            Err(DecodeError::Refused(rejection)) => return Err(rejection.message),
            Err(DecodeError::SchemaNeeded(needed)) => {
                if let Err(failure) = decoder.fetch(&needed).await {
                    return Err(format!("{failure:?}"));
                }
            }
        }
    }
}

/// As [`settle`], where no fetch may fail.
async fn settle_fully(decoder: &Decoder, payload: &Bytes) -> Result<Value, ValueFault> {
    loop {
        match decoder.decode("sales", payload) {
            Ok(value) => return Ok(value),
            Err(DecodeError::Refused(rejection)) => return Err(rejection),
            Err(DecodeError::SchemaNeeded(needed)) => decoder.fetch(&needed).await.unwrap(),
        }
    }
}

fn json_schema(schema: &Json) -> Json {
    json!({"schemaType": "JSON", "schema": schema.to_string(), "subject": "sales-value", "version": 2})
}

#[tokio::test]
async fn a_json_schema_is_fetched_once_and_kept_to() {
    let fake = Fake::default().schema(
        "/schemas/ids/7",
        json_schema(&json!({"type": "object", "required": ["id"]})),
    );
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    assert_eq!(
        settle(&decoder, &message(7, b"{\"id\":1}")).await.unwrap(),
        "{\"id\":1}"
    );
    let Err(DecodeError::Refused(rejection)) = decoder.decode("sales", &message(7, b"{}")) else {
        panic!("refused");
    };
    assert_eq!(
        rejection.message,
        "at $.id found nothing, expected a value (required)"
    );
    assert_eq!(
        rejection.contract.as_deref(),
        Some("sales-value version 2 (schema id 7)")
    );
    assert_eq!(fake.requests(), ["/schemas/ids/7"]);
}

#[tokio::test]
async fn what_the_registry_does_not_know_is_refused_and_not_asked_again() {
    let fake = Fake::default();
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    for _ in 0..3 {
        assert_eq!(
            settle(&decoder, &message(77, b"{}")).await.unwrap_err(),
            "schema id 77 is unknown to the registry: Schema not found (40403)"
        );
    }
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_an_outage_with_its_reason() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    // Nobody accepts: the answer never comes.
    let silent = decoder(&url, json!({"registry": {}}));
    let failure = settle(&silent, &message(7, b"{}")).await.unwrap_err();
    assert!(
        failure.starts_with("Retry") && failure.contains("timed out"),
        "{failure}"
    );
    drop(closed);
    let refused = decoder(&url, json!({"registry": {}}));
    let failure = settle(&refused, &message(7, b"{}")).await.unwrap_err();
    assert!(
        failure.starts_with("Retry") && failure.contains("refused"),
        "{failure}"
    );
}

#[tokio::test]
async fn bytes_that_no_registry_serializer_wrote_are_named() {
    let decoder = decoder("http://127.0.0.1:1", json!({"registry": {}}));
    let cases: [(&[u8], &str); 5] = [
        (
            b"{\"id\":1}",
            "the message does not begin with a schema registry's magic byte 0: `{` looks like plain JSON; leave out `registry`",
        ),
        (
            b"",
            "the message does not begin with a schema registry's magic byte 0: it is empty",
        ),
        (
            &[0, 0, 0],
            "the message ends after 3 bytes, within its schema id",
        ),
        (
            &[1; 20],
            "the message does not begin with a schema registry's magic byte 0: the magic byte 1 precedes a schema GUID, which is not supported",
        ),
        (
            &[0x1f, 0x8b, 8, 0, 0, 0],
            "the message does not begin with a schema registry's magic byte 0: it looks like gzip",
        ),
    ];
    for (payload, expected) in cases {
        let payload = Bytes::copy_from_slice(payload);
        assert_eq!(settle(&decoder, &payload).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn avro_is_read_by_the_schema_that_the_message_names() {
    let schema =
        json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "common.B"}]});
    let referenced = json!({"type": "record", "name": "B", "namespace": "common", "fields": [{"name": "n", "type": "long"}]});
    let fake = Fake::default()
        .schema(
            "/schemas/ids/9",
            json!({"schema": schema.to_string(), "references": [{"name": "common.B", "subject": "b", "version": 4}]}),
        )
        .schema("/subjects/b/versions/4", json!({"id": 3, "subject": "b", "version": 4, "schema": referenced.to_string()}));
    let url = fake.start().await;
    let avro = decoder(&url, json!({"format": "avro", "registry": {}}));
    assert_eq!(
        settle(&avro, &message(9, &[4])).await.unwrap(),
        "{\"a\":{\"n\":2}}"
    );
    assert_eq!(
        settle(&avro, &message(9, &[])).await.unwrap_err(),
        "the bytes do not fit schema id 9 (Avro): the bytes end: 1 are needed and 0 are left at byte 0, at $.a.n"
    );
    let json = decoder(&url, json!({"registry": {}}));
    assert_eq!(
        settle(&json, &message(9, &[4])).await.unwrap_err(),
        "the message was written with schema id 9, a schema of type Avro, but `format` is \"json\""
    );
}

#[tokio::test]
async fn references_between_json_schemas_come_from_the_registry_only() {
    let fake = Fake::default()
        .schema(
            "/schemas/ids/1",
            json!({"schemaType": "JSON", "schema": json!({"properties": {"a": {"$ref": "a.json"}}}).to_string(),
                "references": [{"name": "a.json", "subject": "a", "version": 1}]}),
        )
        .schema(
            "/subjects/a/versions/1",
            json!({"id": 2, "schemaType": "JSON", "schema": json!({"$ref": "b.json#/$defs/x"}).to_string(),
                "references": [{"name": "b.json", "subject": "b", "version": 1}]}),
        )
        .schema(
            "/subjects/b/versions/1",
            json!({"id": 3, "schemaType": "JSON", "schema": json!({"$defs": {"x": {"type": "string"}}}).to_string()}),
        );
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    assert!(
        settle(&decoder, &message(1, b"{\"a\":\"x\"}"))
            .await
            .is_ok()
    );
    assert_eq!(
        settle(&decoder, &message(1, b"{\"a\":1}"))
            .await
            .unwrap_err(),
        "at $.a found an integer of 1 digit, expected a string (type)"
    );
}

/// A producer chooses the id of its message, so an id with a schema that does not compile is that message's fault.
#[tokio::test]
async fn a_message_whose_schema_does_not_compile_is_refused_with_its_schema_and_the_next_is_read() {
    let json = |schema: Json| json!({"schemaType": "JSON", "schema": schema.to_string()});
    let avro = |schema: &str| json!({"schema": schema});
    // (what, its schema in the registry, what the refusal says)
    let cases = [
        (
            "a look-ahead",
            json_schema(&json!({"pattern": "(?=a)b"})),
            "regular expression",
        ),
        (
            "a file",
            json(json!({"$ref": "/etc/passwd"})),
            "the registry lists no reference",
        ),
        (
            "no JSON",
            json!({"schemaType": "JSON", "schema": "{"}),
            "does not compile",
        ),
        (
            "a wrong keyword",
            json(json!({"type": "nothing"})),
            "does not compile",
        ),
        (
            "no Avro",
            avro("{\"type\": \"nothing\"}"),
            "does not compile",
        ),
        (
            "a reference that is gone",
            json!({"schemaType": "JSON", "schema": "{\"$ref\": \"a.json\"}",
                "references": [{"name": "a.json", "subject": "a", "version": 9}]}),
            "refers to a version 9, which the registry does not have",
        ),
        (
            "an Avro reference that is gone",
            json!({"schema": "\"common.B\"", "references": [{"name": "common.B", "subject": "b", "version": 9}]}),
            "refers to b version 9, which the registry does not have",
        ),
    ];
    for (what, schema, reason) in cases {
        let fake = Fake::default()
            .schema("/schemas/ids/5", schema)
            .schema("/schemas/ids/7", json_schema(&json!({"type": "object"})));
        let decoder = decoder(&fake.start().await, json!({"registry": {}}));
        for _ in 0..2 {
            let Err(rejection) = settle_fully(&decoder, &message(5, b"{}")).await else {
                panic!("{what}: refused");
            };
            assert!(rejection.message.contains(reason), "{what}: {rejection}");
            let schema = rejection.contract.unwrap_or_default();
            assert!(schema.contains("schema id 5"), "{what}: {schema}");
        }
        let asked = |path: &&String| path.as_str() == "/schemas/ids/5";
        assert_eq!(fake.requests().iter().filter(asked).count(), 1, "{what}");
        assert!(settle(&decoder, &message(7, b"{}")).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn a_reference_that_cannot_be_asked_for_is_an_outage_of_the_registry() {
    let references = json!([{"name": "a.json", "subject": "a", "version": 9}]);
    for (kind, schema) in [("JSON", "{\"$ref\": \"a.json\"}"), ("AVRO", "\"a.json\"")] {
        let fake = Fake::default()
            .schema(
                "/schemas/ids/5",
                json!({"schemaType": kind, "schema": schema, "references": references}),
            )
            .answers("/subjects/a/versions/9", [(503, json!("no leader"))]);
        let decoder = decoder(&fake.start().await, json!({"registry": {}}));
        let failure = settle(&decoder, &message(5, b"{}")).await.unwrap_err();
        assert!(failure.starts_with("Retry"), "{kind}: {failure}");
    }
}

/// What a configuration names has no record to blame: the connector stops.
#[tokio::test]
async fn a_configured_version_that_does_not_compile_is_no_record_s_fault() {
    let schema = json!({"id": 8, "schemaType": "JSON", "subject": "sales-value", "version": 3,
        "schema": json!({"pattern": "(?=a)b"}).to_string()});
    let fake = Fake::default()
        .schema("/schemas/ids/1", json_schema(&json!({"type": "object"})))
        .schema("/subjects/sales-value/versions/3", schema);
    let url = fake.start().await;
    let config = json!({"registry": {"version": 3}});
    let read = settle(&decoder(&url, config.clone()), &message(1, b"{}")).await;
    let written = encoder(&url, config).prepare().await;
    for failure in [read.unwrap_err(), format!("{:?}", written.unwrap_err())] {
        assert!(
            failure.starts_with("Fatal")
                && failure.contains("sales-value version 3 (schema id 8) does not compile"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_named_version_is_asked_beside_the_one_of_the_message() {
    let fake = Fake::default()
        .schema("/schemas/ids/1", json_schema(&json!({"type": "object"})))
        .schema(
            "/subjects/sales-value/versions/3",
            json!({"id": 8, "schemaType": "JSON", "subject": "sales-value", "version": 3,
                "schema": json!({"required": ["id"]}).to_string()}),
        );
    let url = fake.start().await;
    let strict = decoder(&url, json!({"registry": {"version": 3}}));
    assert!(settle(&strict, &message(1, b"{\"id\":1}")).await.is_ok());
    assert!(settle(&strict, &message(1, b"{}")).await.is_err());
    let missing = decoder(&url, json!({"registry": {"version": "latest"}}));
    let failure = settle(&missing, &message(1, b"{}")).await.unwrap_err();
    assert!(
        failure.starts_with("Fatal")
            && failure.contains("no version latest of the subject sales-value"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_encoder_writes_with_the_chosen_version() {
    let version = |id: u32, maximum: u32| {
        json!({"id": id, "schemaType": "JSON", "subject": "sales-value", "version": id,
            "schema": json!({"maximum": maximum}).to_string()})
    };
    let fake = Fake::default()
        .schema("/subjects/sales-value/versions/latest", version(258, 10))
        .schema("/subjects/sales-value/versions/1", version(1, 5))
        .schema("/subjects/shop%2Fsales/versions/latest", version(3, 5))
        .schema(
            "/subjects/avro/versions/latest",
            json!({"id": 4, "subject": "avro", "version": 1, "schema": "\"long\""}),
        );
    let url = fake.start().await;
    let number =
        |digits: &str| Value::parse_json(digits.to_owned().into(), JsonLimits::default()).unwrap();
    let cases = [
        (json!({"registry": {}}), vec![0, 0, 0, 1, 2, b'7']),
        (
            json!({"registry": {"subject": "shop/sales", "version": "latest"}}),
            vec![],
        ),
        (json!({"registry": {"version": 1}}), vec![]),
        (
            json!({"format": "avro", "registry": {"subject": "avro"}}),
            vec![0, 0, 0, 0, 4, 14],
        ),
        (json!({}), vec![b'7']),
        (json!({"format": "string"}), vec![]),
    ];
    for (config, expected) in cases {
        let encoder = encoder(&url, config.clone());
        encoder.prepare().await.unwrap();
        let encoded = encoder.encode(number("7").root());
        assert_eq!(encoded.as_deref().unwrap_or_default(), expected, "{config}");
    }
    let mismatch = encoder(&url, json!({"registry": {"subject": "avro"}}))
        .prepare()
        .await;
    assert!(matches!(mismatch, Err(Failure::Fatal(_))), "{mismatch:?}");
    let unknown = encoder(&url, json!({"registry": {"subject": "none"}}))
        .prepare()
        .await;
    assert!(matches!(unknown, Err(Failure::Fatal(_))), "{unknown:?}");
    let down = encoder("http://127.0.0.1:1", json!({"registry": {}}))
        .prepare()
        .await;
    assert!(matches!(down, Err(Failure::Retry(_))), "{down:?}");
}

#[tokio::test]
async fn basic_authentication_is_sent_and_never_told() {
    let fake = Fake::default().answers("/schemas/ids/1", [(401, json!("Unauthorized"))]);
    let url = fake.start().await;
    let config: RegistryConfig =
        serde_json::from_value(json!({"url": url, "username": "u", "password": "s3cret"})).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let format: FormatConfig = serde_json::from_value(json!({"registry": {}})).unwrap();
    let contracts = Contracts::new(Some(&config)).unwrap();
    let decoder = contracts.decoder(Side::Key, &format).unwrap();
    let failure = settle(&decoder, &message(1, b"{}")).await.unwrap_err();
    assert!(
        failure.contains("401") && failure.contains("check `username`"),
        "{failure}"
    );
    assert!(!failure.contains("s3cret"), "{failure}");
    assert_eq!(fake.requests(), ["/schemas/ids/1 Basic dTpzM2NyZXQ="]);
}

#[test]
fn a_registry_is_configured_without_secrets_in_its_address() {
    let codes = |config: Json| {
        let config: RegistryConfig = serde_json::from_value(config).unwrap();
        let findings = config.check();
        findings
            .iter()
            .map(|finding| finding.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes(json!({"url": "https://registry.example.com/"})),
        [""; 0]
    );
    assert_eq!(
        codes(json!({"url": "https://u:p@registry.example.com"})),
        ["registry.url"]
    );
    assert_eq!(codes(json!({"url": "registry"})), ["registry.url"]);
    assert_eq!(codes(json!({"url": "ftp://registry"})), ["registry.url"]);
    assert_eq!(
        codes(json!({"url": "http://registry", "password": "x"})),
        ["registry.username"]
    );
    for (url, expected) in [
        ("http://registry", &["registry.exposed"][..]),
        ("http://localhost:8081", &[]),
        ("http://127.0.0.1:8081", &[]),
        ("http://[::1]:8081", &[]),
        ("https://registry", &[]),
    ] {
        let config = json!({"url": url, "username": "u", "password": "x"});
        assert_eq!(codes(config), expected, "{url}");
    }
    let file: RegistryConfig = serde_json::from_value(
        json!({"url": "https://registry", "ca_file": "/nonexistent/ca.pem"}),
    )
    .unwrap();
    let error = Contracts::new(Some(&file)).err().expect("no such file");
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    for version in [
        json!(0),
        json!(-1),
        json!("newest"),
        json!(4_294_967_296_u64),
    ] {
        assert!(serde_json::from_value::<crate::RegistryVersion>(version).is_err());
    }
}

/// Encodes 7 in a record with a schema file. The file and the answers are those of the test below.
async fn written_by_file(url: &str, mut config: Json, schema: &Json) -> Result<Bytes, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema");
    std::fs::write(&file, schema.to_string()).unwrap();
    config["write_schema"] = file.to_str().unwrap().into();
    let encoder = encoder(url, config);
    encoder.prepare().await?;
    let value = Value::parse_json(Bytes::from_static(b"{\"n\":7}"), JsonLimits::default());
    Ok(encoder.encode(value.unwrap().root()).unwrap())
}

#[tokio::test]
async fn a_schema_file_is_looked_up_or_registered_under_the_subject_of_its_strategy() {
    let avro = json!({"type": "record", "name": "Sale", "namespace": "shop",
        "fields": [{"name": "n", "type": "long"}]});
    let json_schema = json!({"title": "Sale", "required": ["n"]});
    let cases = [
        ("avro", &avro, json!({}), "/subjects/sales-value"),
        (
            "avro",
            &avro,
            json!({"auto_register": true}),
            "/subjects/sales-value/versions",
        ),
        (
            "avro",
            &avro,
            json!({"subject": "my/own"}),
            "/subjects/my%2Fown",
        ),
        (
            "avro",
            &avro,
            json!({"subject_strategy": "record_name"}),
            "/subjects/shop.Sale",
        ),
        (
            "avro",
            &avro,
            json!({"subject_strategy": "topic_record_name", "auto_register": true}),
            "/subjects/sales-shop.Sale/versions",
        ),
        (
            "json",
            &json_schema,
            json!({"subject_strategy": "record_name"}),
            "/subjects/Sale",
        ),
    ];
    for (format, schema, registry, path) in cases {
        let fake = Fake::default().schema(path, json!({"id": 258}));
        let url = fake.start().await;
        let config = json!({"format": format, "registry": registry});
        let written = written_by_file(&url, config, schema).await;
        let body: &[u8] = if format == "avro" {
            &[14]
        } else {
            b"{\"n\":7}"
        };
        assert_eq!(written.unwrap(), message(258, body), "{path}");
        assert_eq!(fake.requests(), [path], "{path}");
    }
}

#[tokio::test]
async fn a_schema_file_that_the_registry_does_not_take_stops_and_an_outage_waits() {
    let avro = json!({"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]});
    let look_up = json!({"format": "avro", "registry": {}});
    let register = json!({"format": "avro", "registry": {"auto_register": true}});
    let incompatible = json!({"error_code": 409, "message": "incompatible with version 1"});
    let broken = json!({"error_code": 50001, "message": "store is down"});
    let cases = [
        (
            &look_up,
            "/subjects/sales-value",
            None,
            "Fatal",
            "auto_register",
        ),
        (
            &look_up,
            "/subjects/sales-value",
            Some((500, broken.clone())),
            "Retry",
            "store is down",
        ),
        (
            &register,
            "/subjects/sales-value/versions",
            Some((409, incompatible)),
            "Fatal",
            "incompatible with version 1",
        ),
        (
            &register,
            "/subjects/sales-value/versions",
            Some((500, broken)),
            "Retry",
            "store is down",
        ),
        (
            &register,
            "/subjects/sales-value/versions",
            Some((401, json!("no"))),
            "Retry",
            "401",
        ),
        (
            &register,
            "/subjects/sales-value/versions",
            Some((200, json!("no"))),
            "Retry",
            "cannot be read",
        ),
    ];
    for (config, path, answer, kind, words) in cases {
        let fake = Fake::default();
        let fake = match answer {
            Some(answer) => fake.answers(path, [answer]),
            None => fake,
        };
        let url = fake.start().await;
        let failure = written_by_file(&url, config.clone(), &avro)
            .await
            .unwrap_err();
        let shown = format!("{failure:?}");
        assert!(
            shown.starts_with(kind) && shown.contains(words),
            "{path}: {shown}"
        );
    }
    let nobody = written_by_file("http://127.0.0.1:1", register, &avro).await;
    assert!(matches!(nobody, Err(Failure::Retry(_))), "{nobody:?}");
}

/// What the serializers of Python's confluent-kafka wrote; `golden/README.md` says how.
#[tokio::test]
async fn what_confluents_python_serializers_wrote_is_read_and_written_again() {
    let messages: Vec<Json> =
        serde_json::from_str(include_str!("golden/confluent_kafka.json")).unwrap();
    assert_eq!(messages.len(), 4);
    for golden in messages {
        let text = |name: &str| golden[name].as_str().unwrap();
        let schema = json!({"schemaType": golden["schemaType"], "schema": golden["schema"], "id": golden["id"],
            "subject": "sales-value", "version": 1});
        let fake = Fake::default()
            .schema(&format!("/schemas/ids/{}", golden["id"]), schema.clone())
            .schema("/subjects/sales-value/versions/latest", schema);
        let url = fake.start().await;
        let config = json!({"format": golden["format"], "registry": {}});
        let payload: Vec<u8> = text("payload")
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let payload = Bytes::from(payload);
        let reader = decoder(&url, config.clone());
        assert_eq!(
            settle(&reader, &payload).await.as_deref(),
            Ok(text("expected"))
        );
        // Our bytes are Python's, where the format has only one way to write a value.
        if golden["format"] == "avro" {
            let value = reader.decode("sales", &payload).unwrap();
            let writer = encoder(&url, config);
            writer.prepare().await.unwrap();
            assert_eq!(writer.encode(value.root()).unwrap(), payload);
        }
    }
}
