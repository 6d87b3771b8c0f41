//! Protobuf schemas: their references come from the registry, and what is written names its schema and message.

use super::*;

fn proto(schema: &str, references: Json) -> Json {
    json!({"id": 5, "schemaType": "PROTOBUF", "schema": schema, "references": references,
        "subject": "sales-value", "version": 2})
}

#[tokio::test]
async fn a_schema_is_read_with_its_references_and_their_references() {
    let refers =
        |name: &str, subject: &str| json!([{"name": name, "subject": subject, "version": 1}]);
    let fake = Fake::default()
        .schema(
            "/schemas/ids/5",
            proto(
                "syntax = \"proto3\"; import \"a.proto\"; message M { A a = 1; }",
                refers("a.proto", "a"),
            ),
        )
        .schema(
            "/subjects/a/versions/1",
            proto(
                "syntax = \"proto3\"; import \"b.proto\"; message A { B b = 1; }",
                refers("b.proto", "b"),
            ),
        )
        .schema(
            "/subjects/b/versions/1",
            proto(
                "syntax = \"proto3\"; message B { string c = 1; }",
                json!([]),
            ),
        );
    let decoder = decoder(
        &fake.start().await,
        json!({"format": "protobuf", "registry": {}}),
    );
    let read = settle(&decoder, &message(5, &[0, 0x0a, 5, 0x0a, 3, 0x0a, 1, b'x'])).await;
    assert_eq!(read.as_deref(), Ok(r#"{"a":{"b":{"c":"x"}}}"#));
}

#[tokio::test]
async fn a_message_whose_schema_does_not_compile_is_refused_with_its_schema() {
    for (schema, reason) in [
        (
            "syntax = \"proto3\"; message M { A a = 1; }",
            "the type A is unknown",
        ),
        ("message", "schema.proto: expected"),
        ("", "defines no message"),
    ] {
        let fake = Fake::default().schema("/schemas/ids/5", proto(schema, json!([])));
        let decoder = decoder(
            &fake.start().await,
            json!({"format": "protobuf", "registry": {}}),
        );
        let Err(rejection) = settle_fully(&decoder, &message(5, &[0])).await else {
            panic!("{schema}: refused");
        };
        assert!(rejection.message.contains(reason), "{schema}: {rejection}");
        let contract = rejection.contract.unwrap_or_default();
        assert!(contract.contains("schema id 5"), "{schema}: {contract}");
    }
}

#[tokio::test]
async fn a_message_of_another_format_names_both() {
    let fake = Fake::default()
        .schema(
            "/schemas/ids/5",
            proto("message M { optional int32 n = 1; }", json!([])),
        )
        .schema("/schemas/ids/6", json!({"schema": "\"long\""}));
    let url = fake.start().await;
    for (format, id, part) in [
        ("avro", 5, "a schema of type Protobuf"),
        ("protobuf", 6, "of type Avro"),
    ] {
        let decoder = decoder(&url, json!({"format": format, "registry": {}}));
        let refused = settle(&decoder, &message(id, &[0])).await.unwrap_err();
        assert!(refused.contains(part), "{refused}");
    }
}

/// The first message of the file is written, and its full name is what subjects are named after.
#[tokio::test]
async fn a_schema_file_or_the_latest_version_is_written_with() {
    let schema =
        "syntax = \"proto3\"; package shop; message Sale { int32 n = 1; } message Other {}";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sale.proto");
    std::fs::write(&file, schema).unwrap();
    let file = file.to_str().unwrap();
    for (registry, write_schema, path) in [
        (json!({}), None, "/subjects/sales-value/versions/latest"),
        (json!({}), Some(file), "/subjects/sales-value"),
        (
            json!({"auto_register": true}),
            Some(file),
            "/subjects/sales-value/versions",
        ),
        (
            json!({"subject_strategy": "topic_record_name", "auto_register": true}),
            Some(file),
            "/subjects/sales-shop.Sale/versions",
        ),
    ] {
        let fake = Fake::default().schema(path, proto(schema, json!([])));
        let config =
            json!({"format": "protobuf", "registry": registry, "write_schema": write_schema});
        let encoder = encoder(&fake.start().await, config);
        encoder.prepare().await.unwrap();
        let value =
            Value::parse_json(Bytes::from_static(b"{\"n\":7}"), JsonLimits::default()).unwrap();
        assert_eq!(
            encoder.encode(value.root()).unwrap(),
            message(5, &[0, 0x08, 7]),
            "{path}"
        );
        assert_eq!(fake.requests(), [path]);
    }
}
