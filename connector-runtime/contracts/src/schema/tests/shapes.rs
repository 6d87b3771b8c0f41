//! Contracts of values whose shapes the parser knows, and of the same values without shapes.

use connect_api::{JsonLimits, JsonReader, Value};

use super::compile;

const SCHEMAS: [&str; 4] = [
    r#"{"type":"object","properties":{"id":{"type":"integer","minimum":0},"note":{"type":"string","maxLength":3},
        "at":{"type":"string","format":"date-time"},"inner":{"type":"object","required":["id"],
        "properties":{"id":{"type":"integer"},"note":{"type":["string","null"]}},"additionalProperties":false},
        "list":{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}}},
        "required":["id"],"additionalProperties":false}"#,
    r#"{"type":"object","properties":{"id":{"type":"number"}},"required":["note","id"],"additionalProperties":{"type":"string"}}"#,
    r#"{"allOf":[{"required":["id"]},{"properties":{"note":{"enum":["a","b"]}}}],
        "anyOf":[{"properties":{"id":{"type":"integer"}}},{"properties":{"inner":{"required":["note"]}},"required":["inner"]}]}"#,
    r#"{"properties":{"inner":{"properties":{"inner":{"required":["id"]}}}},"additionalProperties":true}"#,
];

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of(&mut self, values: &[&str]) -> String {
        values[self.below(values.len())].to_owned()
    }

    fn object(&mut self, depth: usize) -> String {
        let mut members = Vec::new();
        for name in ["id", "note", "at", "inner", "list"] {
            let value = match name {
                _ if self.below(6) == 0 => continue,
                _ if self.below(12) == 0 => self.one_of(&["null", "true", "[]", "{}", "1e3"]),
                "id" => self.one_of(&["1", "0", "12", "-1", "1.0", "2.5"]),
                "note" => self.one_of(&["\"a\"", "\"b\"", "\"abcd\"", "\"\\u0061\""]),
                "at" => self.one_of(&["\"2026-01-01T00:00:00Z\"", "\"2026-02-30T00:00:00Z\""]),
                _ if depth == 2 => continue,
                "inner" => self.object(depth + 1),
                _ => {
                    let count = self.below(3);
                    let elements: Vec<String> = (0..count).map(|_| self.object(2)).collect();
                    format!("[{}]", elements.join(","))
                }
            };
            members.push(format!("\"{name}\":{value}"));
        }
        let rotated = self.below(3).min(members.len());
        members.rotate_left(rotated);
        if self.below(20) == 0 {
            members.push(format!("\"other{}\":\"x\"", self.below(50)));
        }
        format!("{{{}}}", members.join(","))
    }
}

#[test]
fn a_shape_changes_no_verdict() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let schemas = SCHEMAS.map(compile);
    let mut readers = [0; 3].map(|_| JsonReader::new(JsonLimits::default()));
    let mut verdicts = [0; 2];
    for _ in 0..6_000 {
        let json = random.object(0);
        let reader = &mut readers[random.below(3)];
        let with_shapes = reader.read(json.clone().into()).unwrap();
        let without = Value::parse_json(json.clone().into(), JsonLimits::default()).unwrap();
        for schema in &schemas {
            let acceptance = schema.acceptance.as_ref().unwrap();
            let quick = [&with_shapes, &without]
                .map(|value| acceptance.with_one(|one| one.accepts(value.root())));
            assert_eq!(quick[0], quick[1], "{json}");
            let found = [&with_shapes, &without].map(|value| schema.validate(value.root()));
            assert_eq!(
                format!("{:?}", found[0]),
                format!("{:?}", found[1]),
                "{json}"
            );
            verdicts[usize::from(found[0].is_ok())] += 1;
        }
    }
    assert!(verdicts.iter().all(|count| *count > 2_000), "{verdicts:?}");
}
