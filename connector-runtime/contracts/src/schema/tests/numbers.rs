//! Keywords about numbers, beyond what a double holds.

use super::{check, rejection};

#[test]
fn numbers_are_decided_by_every_digit() {
    let big = (0..20)
        .map(|n| format!("100000000000000000.{n:02}"))
        .collect::<Vec<_>>();
    let (unique, twice) = (
        format!("[{}]", big.join(",")),
        format!("[{},100000000000000000.0]", big.join(",")),
    );
    let cases: [(&str, &str, bool); 46] = [
        (r#"{"maximum":100}"#, "100.00000000000000001", false),
        (r#"{"maximum":100}"#, "100.0", true),
        (
            r#"{"maximum":9999999999999999.99}"#,
            "10000000000000000.00",
            false,
        ),
        (
            r#"{"maximum":9999999999999999.99}"#,
            "9999999999999999.99",
            true,
        ),
        (
            r#"{"maximum":90071992547409.34}"#,
            "90071992547409.35",
            false,
        ),
        (
            r#"{"maximum":18446744073709551616}"#,
            "18446744073709551617",
            false,
        ),
        (
            r#"{"maximum":18446744073709551616}"#,
            "18446744073709551616",
            true,
        ),
        (r#"{"maximum":1e309}"#, "1e308", true),
        (r#"{"maximum":1e309}"#, "1e310", false),
        (r#"{"maximum":-1e309}"#, "-1e308", false),
        (r#"{"maximum":5}"#, "\"6\"", true),
        (r#"{"minimum":0}"#, "-1e-400", false),
        (r#"{"minimum":1e-400}"#, "0", false),
        (r#"{"minimum":0}"#, "-0.0", true),
        (r#"{"exclusiveMaximum":1}"#, "0.99999999999999999999", true),
        (r#"{"exclusiveMaximum":1}"#, "1.00", false),
        (
            r#"{"exclusiveMinimum":90071992547409.87}"#,
            "90071992547409.88",
            true,
        ),
        (r#"{"exclusiveMinimum":0}"#, "1e-400", true),
        (r#"{"multipleOf":0.01}"#, "9704362045719.609", false),
        (r#"{"multipleOf":0.01}"#, "12345678901234567.891", false),
        (r#"{"multipleOf":0.01}"#, "12345678901234567.89", true),
        (
            r#"{"multipleOf":9007199254740993}"#,
            "9007199254740993",
            true,
        ),
        (
            r#"{"multipleOf":9007199254740993}"#,
            "9007199254740992",
            false,
        ),
        (r#"{"multipleOf":1e-400}"#, "3e-400", true),
        (r#"{"multipleOf":3}"#, "-9", true),
        (r#"{"multipleOf":3}"#, "-8", false),
        (
            r#"{"const":18446744073709551617}"#,
            "18446744073709551618",
            false,
        ),
        (
            r#"{"const":18446744073709551617}"#,
            "18446744073709551617.0",
            true,
        ),
        (r#"{"const":1e309}"#, "null", false),
        (r#"{"const":1e309}"#, "1e309", true),
        (
            r#"{"const":12345678901234567.89}"#,
            "12345678901234567.88",
            false,
        ),
        (
            r#"{"const":{"a":[12345678901234567.89]}}"#,
            r#"{"a":[12345678901234567.89]}"#,
            true,
        ),
        (
            r#"{"const":{"a":[12345678901234567.89]}}"#,
            r#"{"a":[12345678901234567.88]}"#,
            false,
        ),
        (r#"{"const":"a"}"#, "\"a\"", true),
        (r#"{"enum":[0.1]}"#, "0.1000000000000000000001", false),
        (r#"{"enum":[0.1]}"#, "1e-1", true),
        (r#"{"enum":[9007199254740993]}"#, "9007199254740993.0", true),
        (
            r#"{"enum":[9007199254740993,"x"]}"#,
            "9007199254740992.0",
            false,
        ),
        (
            r#"{"uniqueItems":true}"#,
            "[100000000000000000,100000000000000000.01]",
            true,
        ),
        (r#"{"uniqueItems":true}"#, "[0.1,0.10]", false),
        (
            r#"{"uniqueItems":true}"#,
            r#"[{"a":1,"b":2},{"b":2.0,"a":1e0}]"#,
            false,
        ),
        (r#"{"uniqueItems":true}"#, &unique, true),
        (r#"{"uniqueItems":true}"#, &twice, false),
        // Names of the user's that are also keywords.
        (
            r#"{"properties":{"const":{"maximum":9999999999999999.99}}}"#,
            r#"{"const":10000000000000000}"#,
            false,
        ),
        (
            r##"{"$defs":{"enum":{"const":1e309}},"$ref":"#/$defs/enum"}"##,
            "null",
            false,
        ),
        (
            r#"{"connect:exact":{"maximum":"x"},"maximum":5}"#,
            "5",
            true,
        ),
    ];
    for (schema, json, valid) in cases {
        assert_eq!(
            rejection(schema, json).is_none(),
            valid,
            "{json} by {schema}"
        );
    }
}

#[test]
fn draft_4_makes_a_bound_exclusive_beside_it() {
    let schema = |keywords: &str| {
        format!(r#"{{"$schema":"http://json-schema.org/draft-04/schema#",{keywords}}}"#)
    };
    for (keywords, json, valid) in [
        (r#""minimum":0,"exclusiveMinimum":true"#, "0.0", false),
        (r#""minimum":0,"exclusiveMinimum":true"#, "1e-400", true),
        (r#""minimum":0,"exclusiveMinimum":false"#, "0", true),
        (r#""maximum":5,"exclusiveMaximum":true"#, "5", false),
    ] {
        assert_eq!(
            rejection(&schema(keywords), json).is_none(),
            valid,
            "{json} by {keywords}"
        );
    }
}

#[test]
fn messages_have_the_digits_of_the_schema() {
    check(
        r#"{"type":"integer","maximum":18446744073709551616}"#,
        "18446744073709551617",
        "at $ found an integer of 20 digits, expected an integer ≤ 18446744073709551616 (maximum)",
    );
    check(
        r##"{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"const":12345678901234567.89}}}"##,
        r#"{"a":1}"#,
        "at $.a found an integer of 1 digit, expected 12345678901234567.89 (const)",
    );
    check(
        r#"{"enum":[1,2,3,4,5,6,1e309]}"#,
        "7",
        "at $ found an integer of 1 digit, expected one of 1, 2, 3, 4, 5, 6 and 1 more (enum)",
    );
}
