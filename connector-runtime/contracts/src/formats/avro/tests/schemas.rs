//! Schemas that other parsers refuse, although bytes written with them can be read.

use super::super::AvroSchema;
use super::decode;

#[test]
fn what_bytes_do_not_depend_on_does_not_stop_reading() {
    let record = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let cases: [(&str, String, &[u8], &str); 18] = [
        (
            "a default of another type",
            record(r#"{"name":"a","type":"int","default":"none"}"#),
            &[2],
            r#"{"a":1}"#,
        ),
        (
            "a default of another branch",
            record(r#"{"name":"a","type":["string","null"],"default":null}"#),
            &[2],
            r#"{"a":null}"#,
        ),
        (
            "an enum's default that is no symbol",
            r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#.to_owned(),
            &[0],
            r#""A""#,
        ),
        (
            "a hyphen, a dollar sign, a digit in front",
            r#"{"type":"record","name":"my-type$1","namespace":"1st.name-space","fields":[{"name":"a-b","type":"int"},{"name":"2$","type":["null","1st.name-space.my-type$1"]}]}"#.to_owned(),
            &[2, 0],
            r#"{"a-b":1,"2$":null}"#,
        ),
        (
            "symbols that are no names",
            r#"{"type":"enum","name":"E","symbols":["a b","","A","A"]}"#.to_owned(),
            &[2],
            r#""""#,
        ),
        ("a type twice in a union", r#"["int","string","int"]"#.to_owned(), &[4, 6], "3"),
        (
            "two arrays in a union",
            r#"[{"type":"array","items":"int"},{"type":"array","items":"string"}]"#.to_owned(),
            &[2, 2, 2, b'x', 0],
            r#"["x"]"#,
        ),
        ("a union in a union", r#"["null",["int","string"]]"#.to_owned(), &[2, 2, 2, b'x'], r#""x""#),
        ("an empty union elsewhere", record(r#"{"name":"a","type":["null",{"type":"array","items":[]}]}"#), &[0], r#"{"a":null}"#),
        (
            "the type error",
            r#"{"type":"error","name":"Failed","fields":[{"name":"why","type":"string"}]}"#.to_owned(),
            &[2, b'x'],
            r#"{"why":"x"}"#,
        ),
        ("an unknown logical type", r#"{"type":"int","logicalType":"colour"}"#.to_owned(), &[2], "1"),
        ("a logical type that is no text", r#"{"type":"int","logicalType":7}"#.to_owned(), &[2], "1"),
        ("a logical type on another type", r#"{"type":"string","logicalType":"date"}"#.to_owned(), &[2, b'x'], r#""x""#),
        (
            "a decimal that its bytes cannot hold",
            r#"{"type":"fixed","name":"F","size":1,"logicalType":"decimal","precision":10,"scale":2}"#.to_owned(),
            &[1],
            r#""AQ==""#,
        ),
        (
            "a scale larger than the precision",
            r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}"#.to_owned(),
            &[2, 1],
            r#""AQ==""#,
        ),
        ("a decimal without precision", r#"{"type":"bytes","logicalType":"decimal"}"#.to_owned(), &[2, 1], r#""AQ==""#),
        (
            "a type inside a type",
            r#"{"type":{"type":{"type":"long","logicalType":"timestamp-millis"}}}"#.to_owned(),
            &[0],
            r#""1970-01-01T00:00:00.000Z""#,
        ),
        (
            "one type defined twice alike",
            record(r#"{"name":"a","type":{"type":"fixed","name":"F","size":1}},{"name":"b","type":{"type":"fixed","name":"F","size":1}},{"name":"c","type":"F"}"#),
            &[1, 2, 3],
            r#"{"a":"AQ==","b":"Ag==","c":"Aw=="}"#,
        ),
    ];
    for (name, schema, bytes, expected) in cases {
        assert_eq!(decode(&schema, bytes).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn names_are_found_as_the_specification_says() {
    // (the field's type, its bytes, what is read); E is an enum of A and B in the null namespace, and of X and Y in n.
    let cases: [(&str, &[u8], &str); 5] = [
        (r#""E""#, &[2], "Y"),
        (r#""n.E""#, &[2], "Y"),
        (r#""OnlyOutside""#, &[0], "O"),
        (r#"{"type":"E"}"#, &[2], "Y"),
        (
            r#"{"type":"enum","name":".E","symbols":["A","B"]}"#,
            &[2],
            "B",
        ),
    ];
    for (name, bytes, expected) in cases {
        let schema = format!(
            r#"{{"type":"record","name":"R","namespace":"n","fields":[
                {{"name":"a","type":{{"type":"enum","name":"E","namespace":"","symbols":["A","B"]}}}},
                {{"name":"b","type":{{"type":"enum","name":"E","symbols":["X","Y"]}}}},
                {{"name":"c","type":{{"type":"enum","name":"OnlyOutside","namespace":"","symbols":["O"]}}}},
                {{"name":"d","type":{name}}}]}}"#
        );
        let payload = [&[2, 0, 0], bytes].concat();
        let expected = format!(r#"{{"a":"B","b":"X","c":"O","d":"{expected}"}}"#);
        assert_eq!(decode(&schema, &payload), Ok(expected), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let cases = [
        ("{", "it is not JSON: "),
        ("7", "7 is not a type"),
        (r#""text""#, "the type text is not defined"),
        ("{}", "a type without `type`"),
        (r#"{"type":"array"}"#, "an array without `items`"),
        (r#"{"type":"map"}"#, "a map without `values`"),
        (
            r#"{"type":"record","fields":[]}"#,
            "a named type without `name`",
        ),
        (
            r#"{"type":"record","name":"R"}"#,
            "the record R has no `fields`",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#,
            "field 0 of the record R has no `name` or no `type`",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
            "two fields of the record R are called a",
        ),
        (
            r#"{"type":"enum","name":"E"}"#,
            "the enum E has no list of `symbols`",
        ),
        (
            r#"{"type":"fixed","name":"F","size":-1}"#,
            "the fixed F has no `size`",
        ),
        (
            r#"[{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2},"F"]"#,
            "the type F is defined twice, differently, and referred to by its name",
        ),
    ];
    for (schema, expected) in cases {
        let reason = AvroSchema::parse(schema, &[]).err().expect("a reason");
        assert!(reason.starts_with(expected), "{reason} for {schema}");
    }
}

#[test]
fn a_long_chain_of_schemas_is_followed_without_recursion() {
    let links: Vec<String> = (0..2_000)
        .map(|index| {
            let next = index + 1;
            format!(r#"{{"type":"record","name":"R{index}","fields":[{{"name":"r","type":["null","R{next}"]}}]}}"#)
        })
        .collect();
    let last = r#"{"type":"record","name":"R2000","fields":[]}"#.to_owned();
    let referenced: Vec<String> = links.iter().skip(1).cloned().chain([last]).collect();
    let schema = AvroSchema::parse(&links[0], &referenced).expect("a schema");
    assert_eq!(
        schema.decode(&vec![2, 0].into()).unwrap().to_json(),
        r#"{"r":{"r":null}}"#
    );
}
