//! Checks of transforms as tables of cases: a configuration, a record and the expected result, all as text.
//!
//! A record is the JSON of its value, or `key => value`; `-` is an absent key or a tombstone.
//!
//! ```ignore
//! check::<MaskField>("fields = ['card']", r#"{"card":"4111"}"#, r#"{"card":""}"#);
//! check::<MaskField>("fields = ['card']", "1 => -", "1 => -");
//! check_refused::<MaskField>("fields = []", "/fields", "at least one");
//! ```

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{
    Cause, Finding, Header, Key, Origin, Record, Step, Transform, TransformPlugin, Value,
};

use crate::records::value;

/// The record of this text, from offset 42 of partition 3 of the topic `sales`, with a header and a time.
pub fn record_of(text: &str) -> Record {
    let parse = |text: &str| (text != "-").then(|| value(text));
    let (key, value) = text.split_once(" => ").unwrap_or(("-", text));
    Record {
        origin: Arc::new(Origin {
            topic: "sales".into(),
            partition: 3,
            offset: 42,
            timestamp_ms: Some(1_700_000_000_123),
            headers: vec![Header {
                name: "trace".into(),
                value: Some(Bytes::from_static(b"t1")),
            }],
            ..Origin::default()
        }),
        key: parse(key).map_or(Key::Absent, Key::Decoded),
        value: parse(value),
        ordinal: 0,
        routed_topic: None,
    }
}

/// A record with an empty object and these headers.
pub fn with_headers(headers: &[(&str, &str)]) -> Record {
    let mut record = record_of("{}");
    let headers = headers.iter().map(|(name, value)| Header {
        name: (*name).to_owned(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    });
    Arc::make_mut(&mut record.origin).headers = headers.collect();
    record
}

/// The record's headers in their order: `trace=t1 country=DE`.
pub fn headers_of(record: &Record) -> String {
    let print = |header: &Header| {
        let value = header.value.as_deref().unwrap_or(b"-");
        format!("{}={}", header.name, String::from_utf8_lossy(value))
    };
    let headers: Vec<String> = record.origin.headers.iter().map(print).collect();
    headers.join(" ")
}

/// The transform that these keys of a `[[transforms]]` table configure.
pub fn build<P: TransformPlugin>(config: &str) -> Result<P::Transform, Finding> {
    let table: toml::Value =
        toml::from_str(config).unwrap_or_else(|error| panic!("{config}: {error}"));
    P::build(
        &table
            .try_into()
            .unwrap_or_else(|error| panic!("{config}: {error}")),
    )
}

/// The record after the transform, which must keep it.
pub fn apply<P: TransformPlugin>(config: &str, start: Record) -> Result<Record, Cause> {
    match step::<P>(config, start)? {
        Step::Keep(record) => Ok(record),
        other => panic!("{other:?}"),
    }
}

fn step<P: TransformPlugin>(config: &str, start: Record) -> Result<Step, Cause> {
    let mut transform = build::<P>(config).unwrap_or_else(|finding| panic!("{finding:?}"));
    transform.apply(start)
}

/// Applies the transform to `start` and compares the result with `expected`: a record, `dropped`, several records
/// separated by ` | `, or `!` and a part of the error's message.
#[track_caller]
pub fn check<P: TransformPlugin>(config: &str, start: &str, expected: &str) {
    match (
        step::<P>(config, record_of(start)),
        expected.strip_prefix('!'),
    ) {
        (Ok(step), None) => assert_eq!(print_step(&step), expected, "{config}\n{start}"),
        (Err(cause), Some(message)) => {
            assert!(
                cause.to_string().contains(message),
                "{config}\n{start}\n{cause}"
            );
        }
        (outcome, _) => panic!("{config}\n{start}\n{outcome:?}"),
    }
}

/// The plugin must not build; the finding must have this pointer and message and an explained code.
#[track_caller]
pub fn check_refused<P: TransformPlugin>(config: &str, pointer: &str, message: &str) {
    match build::<P>(config) {
        Ok(_) => panic!("{config} is accepted"),
        Err(finding) => {
            assert_eq!(finding.pointer, pointer, "{config}: {finding:?}");
            assert!(finding.message.contains(message), "{config}: {finding:?}");
            let mut explained = P::EXPLANATIONS.iter();
            assert!(explained.any(|one| one.code == finding.code), "{finding:?}");
        }
    }
}

fn print_step(step: &Step) -> String {
    match step {
        Step::Keep(record) => print(record),
        Step::Drop => "dropped".to_owned(),
        Step::Split(records) => records.iter().map(print).collect::<Vec<_>>().join(" | "),
    }
}

fn print(record: &Record) -> String {
    let print = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_json);
    let value = print(record.value.as_ref());
    match &record.key {
        Key::Absent => value,
        Key::Decoded(key) => format!("{} => {value}", key.to_json()),
        Key::Undecodable(_) => format!("? => {value}"),
    }
}
