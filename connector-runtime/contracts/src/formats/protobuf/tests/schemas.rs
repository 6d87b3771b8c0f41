//! Which schemas compile, and what the names in them lead to.

use super::super::record_name;
use super::*;

#[test]
fn imports_are_references_well_known_files_or_not_needed() {
    let money = "syntax = \"proto3\"; package money; message Money { int64 units = 1; }";
    let text = r#"syntax = "proto3"; package shop;
    import "lib/money.proto"; import "google/protobuf/timestamp.proto"; import "buf/validate/validate.proto";
    message Order {
        option (buf.validate.message).cel = { id: "x" expression: "this.a { } > 0" };
        money.Money price = 1 [(buf.validate.field).required = true];
        google.protobuf.Timestamp at = 2;
    }
    service Orders { rpc Get(Order) returns (Order) { option (google.api.http) = { get: "/x" }; } }
    extend google.protobuf.FieldOptions { string mine = 50000; }"#;
    let codec = codec_of(&source(text, &[("lib/money.proto", money)]));
    assert_eq!(
        read(&*codec, "0a020807 1200").as_deref(),
        Ok(r#"{"price":{"units":7},"at":"1970-01-01T00:00:00.000Z"}"#)
    );
    let reason = refused(&text.replace("import \"google/protobuf/timestamp.proto\";", ""));
    assert!(
        reason.contains("shop.Order.price: the type money.Money is unknown"),
        "{reason}"
    );
    assert!(
        reason.contains("no reference resolves lib/money.proto, buf/validate"),
        "{reason}"
    );
}

/// The innermost scope counts, and only what a file imports.
#[test]
fn names_are_found_as_protoc_finds_them() {
    let leaf = |package: &str, field: &str| {
        format!("syntax = \"proto3\"; package {package}; message Leaf {{ int32 {field} = 1; }}")
    };
    let (outer, inner) = (leaf("a", "outer"), leaf("a.b", "inner"));
    let public = "syntax = \"proto3\"; import public \"outer.proto\";";
    let again = "syntax = \"proto3\"; import public \"public.proto\";";
    let hidden = "syntax = \"proto3\"; import \"inner.proto\"; import public \"outer.proto\";";
    let files = [
        ("outer.proto", outer.as_str()),
        ("inner.proto", inner.as_str()),
        ("public.proto", public),
        ("again.proto", again),
        ("hidden.proto", hidden),
    ];
    for (imports, field, expected) in [
        (vec!["outer"], "Leaf f = 1;", "outer"),
        (vec!["outer", "inner"], "Leaf f = 1;", "inner"),
        (vec!["outer", "inner"], ".a.Leaf f = 1;", "outer"),
        (vec!["outer", "inner"], "b.Leaf f = 1;", "inner"),
        (vec!["public"], "Leaf f = 1;", "outer"),
        (vec!["again"], "Leaf f = 1;", "outer"),
        // What a file imports for itself is not seen through it.
        (vec!["hidden"], "Leaf f = 1;", "outer"),
        (
            vec!["outer"],
            "message Leaf { int32 own = 1; } Leaf f = 1;",
            "own",
        ),
        (
            vec!["outer"],
            "message Leaf { int32 own = 1; } a.Leaf f = 1;",
            "outer",
        ),
    ] {
        let imports: String = imports
            .iter()
            .map(|name| format!("import \"{name}.proto\";"))
            .collect();
        let text = format!("syntax = \"proto3\"; package a.b; {imports} message M {{ {field} }}");
        let read = read(&*codec_of(&source(&text, &files)), "0a020807");
        assert_eq!(
            read,
            Ok(format!("{{\"f\":{{\"{expected}\":7}}}}")),
            "{text}"
        );
    }
}

/// A reference of a reference has its own references, and two versions of a file may come by two ways.
#[test]
fn each_file_sees_its_own_version_of_another() {
    let mut schema = source(
        r#"syntax = "proto3"; import "left.proto"; import "right.proto"; message M { Left l = 1; Right r = 2; }"#,
        &[],
    );
    let own = |name: &str, version: u32| SchemaReference {
        version,
        ..reference(name)
    };
    schema.references = vec![own("left.proto", 1), own("right.proto", 1)];
    for (side, version) in [("Left", 1), ("Right", 2)] {
        let file = format!("{}.proto", side.to_lowercase());
        let text =
            format!("syntax = \"proto3\"; import \"c.proto\"; message {side} {{ C c = 1; }}");
        let common = format!("syntax = \"proto3\"; message C {{ int32 v{version} = 1; }}");
        let schema_of = |text: String, references| ReferencedSchema { text, references };
        schema.add(
            &own(&file, 1),
            schema_of(text, vec![own("c.proto", version)]),
        );
        schema.add(&own("c.proto", version), schema_of(common, Vec::new()));
    }
    let read = read(&*codec_of(&schema), "0a040a020801 12040a020802");
    assert_eq!(
        read.as_deref(),
        Ok(r#"{"l":{"c":{"v1":1}},"r":{"c":{"v2":2}}}"#)
    );
}

#[test]
fn what_does_not_compile_says_why() {
    let many: String = (0..=200)
        .map(|n| format!("import \"{n}.proto\";"))
        .collect();
    let deep = format!("{}{}", "message A { ".repeat(40), "}".repeat(40));
    let name = "a".repeat(600);
    for (text, part) in [
        ("", "defines no message"),
        (
            "syntax = \"proto3\"; enum E { A = 0; }",
            "defines no message",
        ),
        ("{\"type\":\"record\"}", "schema.proto line 1: expected"),
        ("syntax = \"proto3\";\nmessage M {\n int32 a 1; }", "line 3"),
        (
            "edition = \"2023\"; message M {}",
            "editions are not supported",
        ),
        (
            "syntax = \"proto3\"; message M { X a = 1; }",
            "M.a: the type X is unknown",
        ),
        (
            "syntax = \"proto3\"; message M { int32 a = 1; int32 b = 1; }",
            "two fields have the number 1",
        ),
        (
            "syntax = \"proto3\"; message M { int32 a = 1; int32 a = 2; }",
            "two fields are called a",
        ),
        (
            "syntax = \"proto3\"; message M {} message M {}",
            "M is defined twice",
        ),
        ("syntax = \"proto3\"; message M { int32 a = 0; }", ""),
        (
            "syntax = \"proto2\"; message M { optional int32 a = 1 [default = \"x\"]; }",
            "",
        ),
        (
            "syntax = \"proto2\"; message M { extensions 1; extend M { optional group G = 1 {} } }",
            "the extension g is a group",
        ),
        (&deep, "nest"),
        (&format!("message {name} {{}}"), "more than 512 bytes"),
        (
            &format!("message M {{ optional {name} a = 1; }}"),
            "more than 512 bytes",
        ),
        ("AAAA", "neither text nor a file descriptor"),
    ] {
        let reason = refused(text);
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let files: Vec<(String, &str)> = (0..=200).map(|n| (format!("{n}.proto"), "")).collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let reason = compile(&source(&many, &files)).err().unwrap();
    assert!(reason.contains("more than 200 files"), "{reason}");
    let long = format!("message M {{}} // {}", "x".repeat(2 << 20));
    assert!(refused(&long).contains("bytes in total"));
}

/// `protoc` refuses it, and nothing here goes in circles for it.
#[test]
fn imports_in_circles_are_harmless() {
    let itself = r#"syntax = "proto3"; import public "a.proto"; import public "b.proto"; message A { int32 a = 1; }"#;
    let other = r#"syntax = "proto3"; import public "a.proto"; import public "b.proto"; message B { A a = 1; }"#;
    let root = r#"syntax = "proto3"; import "b.proto"; message M { A a = 1; B b = 2; }"#;
    let codec = codec_of(&source(root, &[("a.proto", itself), ("b.proto", other)]));
    let read = read(&*codec, "");
    assert_eq!(read.as_deref(), Ok(r#"{"a":null,"b":null}"#));
}

#[test]
fn a_subject_is_named_after_the_first_message() {
    for (text, expected) in [
        (
            "syntax = \"proto3\"; package a.b; message M {} message N {}",
            Some("a.b.M"),
        ),
        ("message M { X unknown = 1; }", None),
        (
            "syntax = \"proto3\"; import \"elsewhere.proto\"; message M { X x = 1; }",
            Some("M"),
        ),
        ("syntax = \"proto3\"; package a;", None),
    ] {
        let name = record_name(text).ok();
        assert_eq!(name.as_deref(), expected, "{text}");
    }
}

/// A schema may define a message of a well-known name with other fields.
#[test]
fn a_well_known_name_with_other_fields_is_an_object() {
    for (fields, bytes, expected) in [
        (
            "int64 seconds = 1; int64 nanos = 2;",
            "",
            r#"{"seconds":0,"nanos":0}"#,
        ),
        (
            "oneof o { int64 seconds = 1; int32 nanos = 2; }",
            "08011002",
            r#"{"seconds":null,"nanos":2}"#,
        ),
        (
            "optional int64 seconds = 1; int32 nanos = 2;",
            "",
            r#"{"seconds":null,"nanos":0}"#,
        ),
        (
            "int64 seconds = 1; int32 nanos = 2; int32 zone = 3;",
            "",
            r#"{"seconds":0,"nanos":0,"zone":0}"#,
        ),
        (
            "int64 seconds = 2; int32 nanos = 1;",
            "",
            r#"{"seconds":0,"nanos":0}"#,
        ),
    ] {
        let text = format!(
            "syntax = \"proto3\"; package google.protobuf; message Timestamp {{ {fields} }}"
        );
        let read = read(&*codec_of(&source(&text, &[])), bytes);
        assert_eq!(read.as_deref(), Ok(expected), "{fields}");
    }
}
