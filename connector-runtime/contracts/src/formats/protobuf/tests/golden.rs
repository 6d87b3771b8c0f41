//! What Confluent's serializer for Python wrote is read, and written again byte by byte.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Kind, ValueRef};

use super::super::{Codec, Protobuf, encode, files, index, resolve};
use super::{codec_of, hex, json, source, to_hex};
use crate::decimal::ExactDecimal;
use crate::registry::SchemaSource;

pub(super) const MESSAGES: &str = include_str!("golden/messages.tsv");
const RANDOM: &str = include_str!("golden/random.tsv");
/// Two messages one after the other, which is one message: fields that occur again are merged.
const MERGED: &str = include_str!("golden/merged.tsv");

/// The schemas as text, and as the descriptors that the serializer registers.
pub(super) fn schemas() -> Vec<(&'static str, SchemaSource)> {
    let text = [("money.proto", include_str!("golden/money.proto"))];
    let descriptor = [("money.proto", include_str!("golden/money.descriptor"))];
    vec![
        (
            "shop.legacy.",
            source(include_str!("golden/legacy.proto"), &[]),
        ),
        (
            "shop.legacy.",
            source(include_str!("golden/legacy.descriptor"), &[]),
        ),
        ("shop.", source(include_str!("golden/all.proto"), &text)),
        (
            "shop.",
            source(include_str!("golden/all.descriptor"), &descriptor),
        ),
    ]
}

pub(super) struct Golden {
    pub(super) message: &'static str,
    pub(super) payload: Bytes,
    pub(super) value: &'static str,
}

pub(super) fn golden(text: &'static str) -> Vec<Golden> {
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().unwrap();
            Golden {
                message: part(),
                payload: hex(part()).into(),
                value: part(),
            }
        })
        .collect()
}

/// The golden messages of `files` with each of their schemas.
pub(super) fn each(
    files: &[&'static str],
    mut test: impl FnMut(&SchemaSource, &dyn Codec, &Golden),
) {
    for (package, source) in schemas() {
        let codec = codec_of(&source);
        let is_legacy = package == "shop.legacy.";
        for golden in files.iter().flat_map(|file| golden(file)) {
            if golden.message.starts_with("shop.legacy.") == is_legacy {
                test(&source, &*codec, &golden);
            }
        }
    }
}

/// Numbers by their digits, members in any order.
fn is_same(left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (Kind::Number(left), Kind::Number(right)) => {
            ExactDecimal::parse(left.as_str()) == ExactDecimal::parse(right.as_str())
        }
        (Kind::Array(left), Kind::Array(right)) => {
            left.len() == right.len() && left.zip(right).all(|(left, right)| is_same(left, right))
        }
        (Kind::Object(mut left), Kind::Object(members)) => {
            left.len() == members.len()
                && left
                    .all(|(name, left)| right.get(name).is_some_and(|right| is_same(left, right)))
        }
        _ => left == right,
    }
}

#[test]
fn every_golden_message_is_read_as_its_value() {
    let mut count = 0;
    each(&[MESSAGES, RANDOM, MERGED], |_, codec, golden| {
        let value = codec.decode(&golden.payload);
        let value = value.unwrap_or_else(|error| panic!("{error}: {}", golden.value));
        let read = value.to_json();
        assert!(
            is_same(json(&read).root(), json(golden.value).root()),
            "{}\nread     {read}\nexpected {}",
            to_hex(&golden.payload),
            golden.value
        );
        count += 1;
    });
    let lines = [MESSAGES, RANDOM, MERGED].map(|file| file.lines().count());
    assert_eq!(count, 2 * lines.iter().sum::<usize>());
}

/// Fields that the schema does not know are not written again.
#[test]
fn every_golden_message_is_written_as_python_wrote_it() {
    each(&[MESSAGES, RANDOM], |source, codec, golden| {
        let schema = resolve::resolve(&files::gather(source).unwrap()).unwrap();
        let (message, fields) = index::read(&schema, &golden.payload).unwrap();
        let value = codec.decode(&golden.payload).unwrap();
        let mut out = Vec::new();
        encode::from_value(&schema, message, value.root(), &mut out)
            .unwrap_or_else(|error| panic!("{error}: {}", golden.value));
        let expected = to_hex(fields).replace("a20606756e7365656e", "");
        if golden.message != "shop.legacy.Order" {
            assert_eq!(to_hex(&out), expected, "{}", golden.value);
        }
        let again: Arc<dyn Codec> = Arc::new(Protobuf {
            schema,
            name: String::new(),
        });
        let indexes = golden.payload.len() - fields.len();
        let payload = [&golden.payload[..indexes], &out].concat();
        assert_eq!(again.decode(&payload.into()).unwrap(), value);
    });
}

/// A payload that is cut may still be a message, never a panic.
#[test]
fn no_part_of_a_golden_message_panics() {
    each(&[MESSAGES, MERGED], |_, codec, golden| {
        let step = 1 + golden.payload.len() / 200;
        for length in (0..golden.payload.len()).step_by(step) {
            let _ = codec.decode(&golden.payload.slice(..length));
        }
    });
}
