#![allow(clippy::unwrap_used, clippy::panic)]

use connect_testkit::conformance::{SinkUnderTest, check_sink};
use connect_testkit::{
    FnContracts, Publishers, batch, context_with, progress_only, record, tombstone, value,
};

use super::*;

fn config(text: &str) -> Config {
    let table: toml::Value = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    table
        .try_into()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

const TAKE_ALL: FnContracts = FnContracts(|_| Ok(()));
/// A contract that rejects `{"refuse":…}`.
const REFUSE: FnContracts = FnContracts(|value| match value.get("refuse") {
    Some(_) => Err(Cause::new("$.refuse is not allowed")),
    None => Ok(()),
});

async fn open(text: &str, publishers: &Publishers) -> KafkaSink {
    let context = context_with(publishers.clone(), TAKE_ALL);
    Kafka::open(&config(text), context)
        .await
        .unwrap_or_else(|failure| panic!("{failure}"))
}

struct UnderTest(Publishers);

#[async_trait]
impl SinkUnderTest for UnderTest {
    async fn open(&mut self) -> Result<Box<dyn Sink>> {
        let config = config("topic = 'out'\nschema = 'schema.json'");
        Ok(Box::new(
            Kafka::open(&config, context_with(self.0.clone(), REFUSE)).await?,
        ))
    }

    async fn delivered(&mut self) -> Vec<i64> {
        let id = |message: Outgoing| {
            let value = Value::parse_json(message.value.unwrap(), JsonLimits::default()).unwrap();
            value
                .root()
                .get("id")
                .unwrap()
                .as_number()
                .unwrap()
                .as_i64()
                .unwrap()
        };
        self.0.messages().into_iter().map(id).collect()
    }

    fn refused(&self, offset: i64) -> Option<Record> {
        Some(record(offset, r#"{"refuse":true}"#))
    }
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_sink() {
    check_sink(&mut UnderTest(Publishers::default())).await;
}

#[tokio::test]
async fn a_message_keeps_headers_time_key_and_digits() {
    let publishers = Publishers::default();
    let context = context_with(publishers.clone(), REFUSE);
    let written = context.rows_written.clone();
    let mut sink = Kafka::open(&config("topic = 'out'"), context)
        .await
        .unwrap();
    let mut records = [record(7, r#"{ "a": 12345678901234567.890 }"#), tombstone(8)];
    let kept = records[0].origin.headers.clone();
    let forged = Header {
        name: "__connect.errors.connector.name".to_owned(),
        value: Some(Bytes::from_static(b"orders")),
    };
    Arc::make_mut(&mut records[0].origin).headers.push(forged);
    sink.write(&batch(&records)).await.unwrap();
    sink.write(&progress_only(9, 12)).await.unwrap();

    assert_eq!(publishers.topics(), ["out".into()]);
    let committed = publishers.committed();
    let [first, second] = committed.as_slice() else {
        panic!("{committed:?}")
    };
    assert_eq!(first.progress, batch(&records).progress);
    assert!(second.messages.is_empty());
    assert_eq!(second.progress, progress_only(9, 12).progress);
    let [message, deleted] = first.messages.as_slice() else {
        panic!("{first:?}")
    };
    assert_eq!(&*message.topic, "out");
    assert_eq!(
        message.value.as_deref(),
        Some(&br#"{"a":12345678901234567.890}"#[..])
    );
    for (message, record) in [(message, &records[0]), (deleted, &records[1])] {
        assert_eq!(message.key, record.origin.key);
        assert_eq!(message.timestamp_ms, record.origin.timestamp_ms);
    }
    assert_eq!(message.headers, kept);
    assert_eq!(deleted.headers, records[1].origin.headers);
    assert_eq!(deleted.value, None);
    assert_eq!(written.get(), 2);
}

/// Checks the key of a record with this decoded key, these original bytes and this value.
#[track_caller]
fn check_key(reference: &str, key: Key, bytes: Option<&str>, expected: Result<Option<&str>, &str>) {
    let sink = KafkaSink {
        publisher: Box::new(Publishers::default()),
        targets: vec![Target {
            topic: "out".into(),
            key: None,
            value: None,
        }],
        topic_from: None,
        key: (!reference.is_empty()).then(|| Reference::parse(reference).unwrap()),
        contract: None,
        rows_written: Counter::default(),
    };
    let mut record = record(5, r#"{"id":"x","n":1.50,"none":null,"deep":{"a":[1]}}"#);
    record.key = key;
    Arc::make_mut(&mut record.origin).key =
        bytes.map(|bytes| Bytes::copy_from_slice(bytes.as_bytes()));
    match (sink.key(&record, 0), expected) {
        (Ok(key), Ok(expected)) => {
            assert_eq!(key.as_deref(), expected.map(str::as_bytes), "{reference}")
        }
        (Err(cause), Err(message)) => {
            assert!(cause.message.contains(message), "{reference}: {cause}")
        }
        (got, _) => panic!("{reference}: {got:?}"),
    }
}

#[test]
fn the_key_is_the_one_that_came_or_a_chosen_one() {
    let decoded = |text| Key::Decoded(value(text));
    let undecodable = || Key::Undecodable("not UTF-8".into());
    // The original bytes, whatever the transforms did.
    check_key("", decoded(r#""other""#), Some("came"), Ok(Some("came")));
    check_key("", undecodable(), Some("came"), Ok(Some("came")));
    check_key("", Key::Absent, None, Ok(None));
    // After the transforms; unchanged bytes stay.
    check_key("#key", decoded(r#""came""#), Some("came"), Ok(Some("came")));
    check_key(
        "#key",
        decoded(r#"{"a":1}"#),
        Some(r#"{ "a": 1 }"#),
        Ok(Some(r#"{ "a": 1 }"#)),
    );
    check_key(
        "#key",
        decoded(r#"{"a":2}"#),
        Some(r#"{ "a": 1 }"#),
        Ok(Some(r#"{"a":2}"#)),
    );
    check_key("#key", decoded(r#""made""#), None, Ok(Some("made")));
    check_key("#key", undecodable(), Some("came"), Ok(Some("came")));
    check_key("#key", Key::Absent, None, Ok(None));
    // Chosen by a reference.
    check_key("$.id", Key::Absent, Some("came"), Ok(Some("x")));
    check_key("$.n", Key::Absent, None, Ok(Some("1.50")));
    check_key("$.deep", Key::Absent, None, Ok(Some(r#"{"a":[1]}"#)));
    check_key("$.none", Key::Absent, Some("came"), Ok(None));
    check_key(
        "$.missing",
        Key::Absent,
        Some("came"),
        Err("$.missing is missing"),
    );
    check_key("#offset", Key::Absent, None, Ok(Some("5")));
    check_key("#topic", Key::Absent, None, Ok(Some("records")));
    check_key("#header.trace", Key::Absent, None, Ok(Some("trace-5")));
    check_key("#key.id", decoded(r#"{"id":7}"#), Some("{}"), Ok(Some("7")));
    check_key("#key.id", undecodable(), Some("x"), Err("not UTF-8"));
}

#[tokio::test]
async fn content_chooses_among_the_allowed_topics_only() {
    let publishers = Publishers::default();
    let text = "topic_from = { field = '$.country', allow = ['de', 'fr'] }";
    let mut sink = open(text, &publishers).await;
    assert_eq!(publishers.topics(), ["de".into(), "fr".into()]);
    let records = [
        record(0, r#"{"country":"fr"}"#),
        record(1, r#"{"country":"de"}"#),
    ];
    sink.write(&batch(&records)).await.unwrap();
    let topics: Vec<_> = publishers
        .messages()
        .into_iter()
        .map(|message| message.topic)
        .collect();
    assert_eq!(topics, ["fr".into(), "de".into()]);

    let records = [
        record(2, r#"{"country":"xx"}"#),
        record(3, r#"{"country":"de"}"#),
        record(4, "{}"),
        record(5, r#"{"country":1}"#),
        tombstone(6),
    ];
    match sink.write(&batch(&records)).await {
        Err(Failure::Refused(refusals)) => {
            let found: Vec<_> = refusals
                .iter()
                .map(|one| (one.record, one.cause.message.as_str()))
                .collect();
            let missing = "$.country is missing or not text, so no topic is chosen";
            assert_eq!(
                found,
                [
                    (0, "$.country names a topic that the file does not list"),
                    (2, missing),
                    (3, missing),
                    (4, missing)
                ]
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(publishers.messages().len(), 2);
}

#[tokio::test]
async fn words_of_the_content_are_mapped_to_topics() {
    let publishers = Publishers::default();
    let text = "topic_from = { field = '$.country', allow = ['fr'], map = { de = 'germany', fr = 'france' }, default = 'rest' }";
    let mut sink = open(text, &publishers).await;
    let topics = ["fr", "france", "germany", "rest"].map(Arc::from);
    assert_eq!(publishers.topics(), topics);
    let records = [
        record(0, r#"{"country":"de"}"#),
        record(1, r#"{"country":"fr"}"#),
        record(2, r#"{"country":"germany"}"#),
        record(3, r#"{"country":""}"#),
        record(4, "{}"),
        tombstone(5),
    ];
    sink.write(&batch(&records)).await.unwrap();
    let messages = publishers.messages().into_iter();
    let topics: Vec<_> = messages.map(|message| message.topic).collect();
    let expected = ["germany", "france", "rest", "rest", "rest", "rest"].map(Arc::from);
    assert_eq!(topics, expected);
}

#[tokio::test]
async fn a_failure_of_the_publisher_is_passed_on_and_nothing_is_counted() {
    let publishers = Publishers::default();
    let context = context_with(publishers.clone(), TAKE_ALL);
    let written = context.rows_written.clone();
    let mut sink = Kafka::open(&config("topic = 'out'"), context)
        .await
        .unwrap();
    let refusal = RejectedRecord {
        record: 0,
        cause: Cause::new("too large"),
    };
    for failure in [
        Failure::Retry(Cause::new("no broker")),
        Failure::Refused(vec![refusal]),
    ] {
        publishers.fail_next(failure.clone());
        assert_eq!(sink.write(&batch(&[record(0, "{}")])).await, Err(failure));
    }
    assert_eq!(written.get(), 0);
    sink.write(&batch(&[record(0, "{}")])).await.unwrap();
    assert_eq!(written.get(), 1);
}

#[test]
fn configuration_is_checked() {
    let long = "x".repeat(250);
    for (text, expected) in [
        ("topic = 'a.b_c-9'", vec![]),
        (
            "topic_from = { field = '#header.to', allow = ['a'] }\nkey = '#key'",
            vec![],
        ),
        ("key = '#key'", vec![("kafka.topic", "")]),
        (
            "topic = 'a'\ntopic_from = { field = '$.x', allow = ['b'] }",
            vec![("kafka.topic", "")],
        ),
        ("topic = ''", vec![("kafka.topic", "/topic")]),
        ("topic = '..'", vec![("kafka.topic", "/topic")]),
        ("topic = 'new users'", vec![("kafka.topic", "/topic")]),
        (
            &format!("topic = '{long}'"),
            vec![("kafka.topic", "/topic")],
        ),
        (
            "topic_from = { field = '$.x' }",
            vec![("kafka.topic", "/topic_from")],
        ),
        (
            "topic_from = { field = '$.x', map = { 'a/b' = 'ü' }, default = '' }",
            vec![
                ("kafka.topic", "/topic_from/map/a~1b"),
                ("kafka.topic", "/topic_from/default"),
            ],
        ),
        (
            "topic_from = { field = '@.x', allow = ['a', 'ü'] }\nkey = '#index'",
            vec![
                ("kafka.topic", "/topic_from/allow/1"),
                ("kafka.reference", "/topic_from/field"),
                ("kafka.reference", "/key"),
            ],
        ),
    ] {
        let findings = Kafka::check(&config(text), &CheckContext::default());
        let found: Vec<_> = findings
            .iter()
            .map(|one| (one.code, one.pointer.as_str()))
            .collect();
        assert_eq!(found, expected, "{text}");
        for finding in findings {
            assert!(
                Kafka::EXPLANATIONS
                    .iter()
                    .any(|one| one.code == finding.code),
                "{}",
                finding.code
            );
        }
    }
    assert_eq!(Kafka::target_topics(&config("topic = 'a'")), ["a"]);
    let allowed = config("topic_from = { field = '$.x', allow = ['a', 'b'] }");
    assert_eq!(Kafka::target_topics(&allowed), ["a", "b"]);
}

/// Prefixes the value's JSON with the side and the topic, and rejects values with a member `refuse`.
struct Formats;

struct Prefixed(String);

#[async_trait]
impl connect_api::EncoderFactory for Formats {
    async fn encoder(&self, side: Side, topic: &str) -> Result<Option<Arc<dyn Encode>>> {
        Ok(Some(Arc::new(Prefixed(format!("{side:?} {topic} ")))))
    }
}

impl Encode for Prefixed {
    fn encode(&self, value: connect_api::ValueRef<'_>) -> Result<Bytes, Cause> {
        match value.get("refuse") {
            Some(_) => Err(Cause::new("at $.refuse found 1, expected nothing")),
            None => Ok(format!("{}{}", self.0, value.to_json()).into()),
        }
    }
}

#[tokio::test]
async fn messages_are_written_in_the_formats_of_the_table() {
    for (table, key) in [
        ("topic = 'out'", Some("Key out \"key-7\"")),
        ("topic = 'out'\nkey = '#key'", Some("Key out \"key-7\"")),
        ("topic = 'out'\nkey = '$.a'", Some("Key out 1.50")),
        ("topic = 'out'\nkey = '#offset'", Some("Key out 7")),
        ("topic = 'out'\nkey = '#topic'", Some("Key out \"records\"")),
        ("topic = 'out'\nkey = '$.n'", None),
        (
            "topic_from = { field = '$.to', allow = ['x', 'out'] }",
            Some("Key out \"key-7\""),
        ),
    ] {
        let publishers = Publishers::default();
        let mut context = context_with(publishers.clone(), TAKE_ALL);
        context.encoders = Arc::new(Formats);
        let mut sink = Kafka::open(&config(table), context).await.unwrap();
        let records = [record(7, r#"{"a":1.50,"n":null,"to":"out"}"#)];
        sink.write(&batch(&records)).await.unwrap();
        let messages = publishers.messages();
        let message = messages.first().unwrap();
        let text = |bytes: &Option<Bytes>| {
            let bytes = bytes.as_ref()?;
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(text(&message.key).as_deref(), key, "{table}");
        assert_eq!(
            text(&message.value).as_deref(),
            Some(r#"Value out {"a":1.50,"n":null,"to":"out"}"#),
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_record_that_its_format_cannot_hold_is_refused_and_a_tombstone_stays_one() {
    let publishers = Publishers::default();
    let mut context = context_with(publishers.clone(), TAKE_ALL);
    context.encoders = Arc::new(Formats);
    let mut sink = Kafka::open(&config("topic = 'out'"), context)
        .await
        .unwrap();
    let records = [record(1, "{}"), record(2, r#"{"refuse":1}"#)];
    let Err(Failure::Refused(refusals)) = sink.write(&batch(&records)).await else {
        panic!("refused");
    };
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals.first().unwrap().record, 1);
    sink.write(&batch(&[tombstone(3)])).await.unwrap();
    assert_eq!(publishers.messages().first().unwrap().value, None);
}
