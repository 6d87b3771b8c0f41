#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::Bytes;
use connect_api::{SchemaFile, Value};
use serde_json::json;

use super::{DecodeError, Decoder};
use crate::{Contracts, FaultStage, Format, FormatConfig, Side, Usage};

fn decoder(config: &FormatConfig) -> Decoder {
    Contracts::new(None)
        .unwrap()
        .decoder(Side::Value, config)
        .unwrap()
}

fn of(format: &str) -> FormatConfig {
    FormatConfig {
        format: Format::named(format).unwrap(),
        ..FormatConfig::default()
    }
}

/// The value as JSON, or the message.
fn decode(config: &FormatConfig, payload: &[u8]) -> String {
    match decoder(config).decode("topic", &Bytes::copy_from_slice(payload)) {
        Ok(value) => value.to_json(),
        Err(DecodeError::Refused(rejection)) => {
            assert_eq!(rejection.stage, FaultStage::Decode);
            rejection.message
        }
        Err(DecodeError::SchemaNeeded(needed)) => format!("needs {needed}"),
    }
}

#[test]
fn json() {
    let cases: [(&[u8], &str); 18] = [
        (b"{\"a\":1.10}", "{\"a\":1.10}"),
        (b" null ", "null"),
        (b"12345678901234567.89", "12345678901234567.89"),
        (b"", "not JSON: it is empty"),
        (b"  ", "not JSON: there is only white space"),
        (
            b"{\"a\":1",
            "not JSON: EOF while parsing an object at byte 6",
        ),
        (b"{\"a\":1}x", "not JSON: trailing characters at byte 7"),
        (
            b"{\"a\":1,\"a\":2}",
            "not JSON: key \"a\" twice in one object at byte 13",
        ),
        (
            b"hello there everybody",
            "not JSON: it looks like text that is not JSON",
        ),
        (b"<html>", "not JSON: `<` looks like XML or HTML"),
        (b"<?xml version='1.0'?>", "not JSON: it looks like XML"),
        (&[0x1f, 0x8b, 8, 0], "not JSON: it looks like gzip"),
        (
            b"\x00\x00\x00\x00\x07{}",
            "not JSON: the magic byte 0 shows that a schema registry's serializer wrote it; set `registry = {}`",
        ),
        (
            b"Obj\x01\x04\x14",
            "not JSON: it looks like an Avro file with its header",
        ),
        (
            b"\xef\xbb\xbf{}",
            "not JSON: it begins with a byte order mark",
        ),
        (&[0xfe, 0x01, 0x02], "not JSON: it looks like binary data"),
        (b"{\"a\":\"\xff\"}", "not JSON: not UTF-8 at byte 6"),
        (b"NaN", "not JSON: it looks like text that is not JSON"),
    ];
    for (payload, expected) in cases {
        assert_eq!(
            decode(&FormatConfig::default(), payload),
            expected,
            "{payload:?}"
        );
    }
    let deep = "[".repeat(10_000);
    assert_eq!(
        decode(&FormatConfig::default(), deep.as_bytes()),
        "not JSON: nested more than 128 deep at byte 128"
    );
}

#[test]
fn text_and_bytes() {
    let text = FormatConfig::text();
    assert_eq!(decode(&text, "Köln\n".as_bytes()), "\"Köln\\n\"");
    assert_eq!(decode(&text, b""), "\"\"");
    assert_eq!(
        decode(&text, &[b'a', 0xff]),
        "not UTF-8 at byte 1: it looks like text that is not JSON; `format = \"bytes\"` takes any bytes"
    );
    assert_eq!(decode(&of("bytes"), &[0, 255]), "\"AP8=\"");
    assert_eq!(decode(&of("bytes"), &[]), "\"\"");
}

#[test]
fn a_local_contract_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.json");
    std::fs::write(&file, r#"{"type":"object","required":["id"]}"#).unwrap();
    let config = FormatConfig {
        schema: Some(SchemaFile::parse(file.to_str().unwrap()).unwrap()),
        ..FormatConfig::default()
    };
    let decoder = decoder(&config);
    let valid = decoder
        .decode("topic", &Bytes::from_static(b"{\"id\":1}"))
        .unwrap();
    assert_eq!(valid, Value::from(&json!({"id": 1})));
    let Err(DecodeError::Refused(rejection)) = decoder.decode("topic", &Bytes::from_static(b"{}"))
    else {
        panic!("refused");
    };
    assert_eq!(rejection.stage, FaultStage::Contract);
    assert_eq!(
        rejection.message,
        "at $.id found nothing, expected a value (required)"
    );
    assert_eq!(rejection.contract.as_deref(), file.to_str());
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    use Usage::{Read, Write};
    let cases = [
        (Read, json!({"format": "avro"}), "contract.needs-registry"),
        (Write, json!({"format": "avro"}), "contract.needs-registry"),
        (
            Read,
            json!({"format": "string", "registry": {}}),
            "contract.registry-unused",
        ),
        (
            Read,
            json!({"format": "json_envelope", "registry": {}}),
            "contract.registry-unused",
        ),
        (
            Read,
            json!({"format": "bytes", "schema": "x.json"}),
            "contract.schema-unused",
        ),
        (
            Read,
            json!({"format": "avro", "registry": {"version": 1}}),
            "contract.version-unused",
        ),
        (
            Read,
            json!({"format": "json_envelope", "write_schema": "x"}),
            "contract.write-only",
        ),
        (
            Read,
            json!({"registry": {"auto_register": true}}),
            "contract.write-only",
        ),
        (
            Read,
            json!({"registry": {"subject_strategy": "record_name"}}),
            "contract.write-only",
        ),
        (Write, json!({"write_schema": "x"}), "contract.write-schema"),
        (
            Write,
            json!({"format": "bytes", "write_schema": "x"}),
            "contract.write-schema",
        ),
        (
            Write,
            json!({"registry": {"auto_register": true}}),
            "contract.write-schema",
        ),
        (
            Write,
            json!({"registry": {"subject_strategy": "record_name"}}),
            "contract.write-schema",
        ),
        (
            Write,
            json!({"registry": {"version": 1}, "write_schema": "x"}),
            "contract.version-unused",
        ),
    ];
    for (usage, table, code) in cases {
        let config: FormatConfig = serde_json::from_value(table.clone()).unwrap();
        let findings = config.check(usage);
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [code], "{table}");
        let contracts = Contracts::new(None).unwrap();
        let refused = match usage {
            Read => contracts.decoder(Side::Value, &config).err(),
            Write => contracts.encoder(Side::Value, &config, "topic").err(),
        };
        assert!(refused.is_some(), "{table}");
    }
    let unknown = json!({"format": "cbor"});
    assert!(serde_json::from_value::<FormatConfig>(unknown).is_err());
    let registry = json!({"registry": {}});
    let config: FormatConfig = serde_json::from_value(registry).unwrap();
    let error = Contracts::new(None)
        .unwrap()
        .decoder(Side::Value, &config)
        .err()
        .unwrap();
    assert!(error.to_string().contains("[registry]"), "{error}");
}
