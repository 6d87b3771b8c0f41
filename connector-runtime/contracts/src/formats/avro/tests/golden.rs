//! Bytes that fastavro wrote; see `golden/make.py`.

use connect_api::{JsonLimits, Value};

use super::super::AvroSchema;

struct Golden {
    schema: &'static str,
    records: &'static [u8],
    shown: &'static str,
}

const GOLDEN: [Golden; 3] = [
    Golden {
        schema: include_str!("golden/namespaces.avsc"),
        records: include_bytes!("golden/namespaces.bin"),
        shown: include_str!("golden/namespaces.jsonl"),
    },
    Golden {
        schema: include_str!("golden/logical.avsc"),
        records: include_bytes!("golden/logical.bin"),
        shown: include_str!("golden/logical.jsonl"),
    },
    Golden {
        schema: include_str!("golden/nested.avsc"),
        records: include_bytes!("golden/nested.bin"),
        shown: include_str!("golden/nested.jsonl"),
    },
];

#[test]
fn what_fastavro_writes_is_read_and_written_again() {
    for golden in &GOLDEN {
        let schema = AvroSchema::parse(golden.schema, &[]).expect("a schema");
        let mut rest = golden.records;
        for shown in golden.shown.lines() {
            let (length, after) = rest.split_first_chunk::<4>().expect("a length");
            let (record, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            rest = after;
            let value = schema.decode(&record.to_vec().into()).expect("a value");
            assert_eq!(value.to_json(), shown);
            // Also from JSON text, where bytes are base64 and floats have lost their type.
            let text = shown.as_bytes().to_vec();
            let parsed = Value::parse_json(text.into(), JsonLimits::default()).expect("JSON");
            for value in [&value, &parsed] {
                let mut written = Vec::new();
                schema
                    .encode(value.root(), &mut written)
                    .unwrap_or_else(|rejection| panic!("{shown}: {rejection:?}"));
                assert_eq!(written, record, "{shown}");
            }
        }
        assert!(rest.is_empty());
    }
}
