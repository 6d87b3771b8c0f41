//! Tests. `golden/make.py` says how the files of `golden` were made.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod golden;
mod hostile;
mod indexes;
mod reading;
mod schemas;
mod writing;

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Value, ValueLimits};

use super::{Codec, compile};
use crate::registry::{ReferencedSchema, SchemaReference, SchemaSource};

/// A schema whose references are files by their names.
fn source(text: &str, files: &[(&str, &str)]) -> SchemaSource {
    let name = "orders-value version 3 (schema id 7)".to_owned();
    let mut source = SchemaSource::alone(name, "registry:/ids/7".to_owned(), text.to_owned());
    source.references = files.iter().map(|(name, _)| reference(name)).collect();
    for (name, text) in files {
        source.add(
            &reference(name),
            ReferencedSchema {
                text: (*text).to_owned(),
                references: Vec::new(),
            },
        );
    }
    source
}

fn reference(name: &str) -> SchemaReference {
    SchemaReference {
        name: name.to_owned(),
        subject: format!("subject of {name}"),
        version: 1,
    }
}

fn codec_of(source: &SchemaSource) -> Arc<dyn Codec> {
    match compile(source) {
        Ok(codec) => codec,
        Err(reason) => panic!("{reason}\n{}", source.text),
    }
}

/// Why a schema does not compile.
fn refused(text: &str) -> String {
    match compile(&source(text, &[])) {
        Ok(_) => panic!("it compiles: {text}"),
        Err(reason) => reason,
    }
}

/// A codec of one message `M` with these fields.
fn message(fields: &str) -> Arc<dyn Codec> {
    let text =
        format!("syntax = \"proto3\"; package p; {WELL_KNOWN} message M {{ {fields} }} {TYPES}");
    codec_of(&source(&text, &[]))
}

const WELL_KNOWN: &str = r#"
import "google/protobuf/any.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/type/date.proto";
import "google/type/timeofday.proto"; import "confluent/type/decimal.proto";
"#;

const TYPES: &str =
    "message Leaf { string name = 1; optional int32 size = 2; } enum Color { NONE = 0; RED = 1; }";

/// The value of a first message's fields as JSON text, or why there is none.
fn read(codec: &dyn Codec, fields: &str) -> Result<String, String> {
    let payload = [vec![0], hex(fields)].concat();
    let value = codec.decode(&Bytes::from(payload));
    value
        .map(|value| value.to_json())
        .map_err(|rejection| rejection.message)
}

/// The fields of the first message that JSON text is written as, in hexadecimal, or why it is not.
fn write(codec: &dyn Codec, value: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let written = codec.encode(json(value).root(), &mut out);
    written.map_err(|rejection| rejection.message)?;
    assert_eq!(out.first(), Some(&0), "the first message is written");
    Ok(to_hex(&out[1..]))
}

fn json(text: &str) -> Value {
    Value::parse_json(text.to_owned().into(), ValueLimits::default())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
