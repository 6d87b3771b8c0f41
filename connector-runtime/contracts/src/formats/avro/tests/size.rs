//! What a message becomes in memory is bounded by its size.

use super::decode;

/// A count as a block of an array begins with it.
fn count(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    super::super::wire::write_long(&mut out, number);
    out
}

fn record(fields: usize, kind: &str) -> String {
    let fields: Vec<String> = (0..fields)
        .map(|index| {
            format!(r#"{{"name":"an_optional_field_with_a_long_name_{index}","type":{kind}}}"#)
        })
        .collect();
    format!(
        r#"{{"type":"record","name":"R","fields":[{}]}}"#,
        fields.join(",")
    )
}

#[test]
fn a_message_that_would_become_far_more_than_it_is_is_refused() {
    let array = |items: &str| format!(r#"{{"type":"array","items":{items}}}"#);
    // Each level has ten fields of the level below, and the lowest has no bytes: 10^12 values in an empty message.
    let mut tower = r#"{"type":"record","name":"R0","fields":[]}"#.to_owned();
    for level in 1..=12 {
        let fields: Vec<String> = (0..10)
            .map(|index| {
                let below = if index == 0 {
                    tower.clone()
                } else {
                    format!("\"R{}\"", level - 1)
                };
                format!(r#"{{"name":"f{index}","type":{below}}}"#)
            })
            .collect();
        tower = format!(
            r#"{{"type":"record","name":"R{level}","fields":[{}]}}"#,
            fields.join(",")
        );
    }
    let nulls = record(100, "\"null\"");
    let one_byte = nulls.replacen("\"null\"", "\"boolean\"", 1);
    let booleans = [count(100_000), vec![1; 100_000], count(0)].concat();
    let long = "s".repeat(50_000);
    let symbols = format!(r#"{{"type":"enum","name":"E","symbols":["{long}"]}}"#);
    let keys = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"{long}","type":"boolean"}}]}}"#
    );
    // 200 KB that would become 10 GB.
    let firsts = [count(200_000), vec![0; 200_000], count(0)].concat();
    let cases: [(&str, String, Vec<u8>); 6] = [
        ("symbols of 50,000 letters", array(&symbols), firsts.clone()),
        ("names of fields of 50,000 letters", array(&keys), firsts),
        (
            "a count of billions of nulls",
            array("\"null\""),
            [count(1 << 62), count(0)].concat(),
        ),
        (
            "records of nulls",
            array(&nulls),
            [count(1 << 40), count(0)].concat(),
        ),
        (
            "records of nulls and one boolean of nulls",
            array(&one_byte),
            booleans,
        ),
        ("a tower of records without bytes", tower, Vec::new()),
    ];
    for (name, schema, bytes) in cases {
        let decoded = decode(&schema, &bytes).map(drop);
        let reason = decoded.expect_err(name);
        assert!(reason.contains("becomes more than"), "{name}: {reason}");
    }
}

#[test]
fn sparse_and_wide_records_are_read() {
    let array = |items: &str| format!(r#"{{"type":"array","items":{items}}}"#);
    let optional = record(300, r#"["null","string"]"#);
    let sparse = [count(200), vec![0; 60_000], count(0)].concat();
    let nested = r#"{"type":"record","name":"A","fields":[{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"c","type":"int"}]}}]}"#;
    let small = [count(10_000), vec![2; 10_000], count(0)].concat();
    let cases: [(&str, String, Vec<u8>); 4] = [
        ("absent optional fields", array(&optional), sparse),
        ("small numbers in nested records", array(nested), small),
        (
            "empty strings",
            array("\"string\""),
            [count(50_000), vec![0; 50_000], count(0)].concat(),
        ),
        (
            "some nulls",
            array("\"null\""),
            [count(60_000), count(0)].concat(),
        ),
    ];
    for (name, schema, bytes) in cases {
        assert!(decode(&schema, &bytes).is_ok(), "{name}");
    }
}
