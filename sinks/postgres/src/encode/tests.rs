//! Rows of values whose shapes the parser knows, and of the same values without shapes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use connect_api::{Field, JsonLimits, JsonReader, Key, Origin, Record, Rename, Value};

use crate::catalog::testing::table;
use crate::config::Config;
use crate::mapping::{Plan, plan};

const ENTRIES: [&str; 4] = [
    "mode = \"insert\"",
    "mode = \"upsert\"\nkey = [\"id\"]",
    "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"$.inner.id\", note = \"$.note\", tags = \"$.tags\" }",
    "mode = \"insert\"\neach = \"$.list[*]\"\ncolumns = { id = \"@.id\", note = \"$.note\", address = \"@.address\" }",
];

fn plan_of(entry: &str) -> Plan {
    let text = format!("url = \"x\"\n[[tables]]\ntable = \"sales\"\n{entry}");
    let parsed: serde_json::Value = toml::from_str(&text).unwrap();
    let config: Config = serde_json::from_value(parsed).unwrap();
    plan(&config, &[table()]).ok().unwrap()
}

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
        for name in ["id", "note", "tags", "address", "inner", "list", "ID"] {
            let value = match name {
                "ID" if self.below(9) > 0 => continue,
                _ if self.below(6) == 0 => continue,
                _ if self.below(30) == 0 => self.one_of(&["null", "true", "[]", "{}", "1e3"]),
                "id" | "ID" => self.one_of(&["1", "0", "12", "-1", "1.0", "9007199254740993"]),
                "note" => self.one_of(&["\"a\"", "\"b\\n\"", "12", "\"\"", "\"a\\u0000\""]),
                "tags" => self.one_of(&["[]", "[\"a\",null]", "null"]),
                "address" => self.one_of(&["\"::1\"", "\"10.0.0.1\""]),
                _ if depth == 1 => continue,
                "inner" => self.object(depth + 1),
                _ => {
                    let count = self.below(3);
                    let elements: Vec<String> = (0..count).map(|_| self.object(1)).collect();
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

    /// What a transform may do: the same to both values.
    fn edit(&mut self, values: [&mut Value; 2]) {
        let field = |name: &str| Field::parse(name).unwrap();
        let what = self.below(8);
        for value in values {
            let _ = match what {
                0 => value
                    .insert(field("note").path(), Value::string("new"))
                    .is_ok(),
                1 => value.remove(field("note").path()),
                2 => {
                    let path = field("note").path().clone();
                    let name = "tags".to_owned();
                    value.rename(&[Rename { path, name }]).is_ok()
                }
                3 => value
                    .insert(field("$.inner.id").path(), Value::integer(7))
                    .is_ok(),
                _ => true,
            };
        }
    }
}

fn record(number: usize, value: Value) -> Record {
    let origin = Origin {
        offset: number as i64,
        ..Origin::default()
    };
    Record {
        origin: origin.into(),
        key: Key::Absent,
        value: Some(value),
        ordinal: 0,
        routed_topic: None,
    }
}

/// What a batch becomes, or why it does not.
fn encoded(plan: &mut Plan, records: &[Record]) -> Result<Vec<u8>, String> {
    let records: Vec<&Record> = records.iter().collect();
    match plan.encode(&records) {
        Ok(()) => {
            let target = &plan.targets[0];
            let mut rows = target.rows.data.clone();
            for row in &target.rows.rows {
                rows.extend(format!("{row:?} {:?}", target.sets.positions(row.set)).bytes());
            }
            Ok(rows)
        }
        Err(failure) => Err(format!("{failure:?}")),
    }
}

#[test]
fn a_shape_changes_no_row_and_no_refusal() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut readers = [0; 3].map(|_| JsonReader::new(JsonLimits::default()));
    let mut outcomes = [0; 2];
    for entry in ENTRIES {
        let mut plans = [0; 2].map(|_| plan_of(entry));
        for _ in 0..600 {
            let mut batches = [Vec::new(), Vec::new()];
            for number in 0..1 + random.below(4) {
                let json = random.object(0);
                let reader = &mut readers[random.below(3)];
                let mut shaped = reader.read(json.clone().into()).unwrap();
                let mut plain = Value::parse_json(json.into(), JsonLimits::default()).unwrap();
                random.edit([&mut shaped, &mut plain]);
                batches[0].push(record(number, shaped));
                batches[1].push(record(number, plain));
            }
            let found = [0, 1].map(|which| encoded(&mut plans[which], &batches[which]));
            assert_eq!(found[0], found[1], "{entry}: {:?}", batches[1]);
            outcomes[usize::from(found[0].is_ok())] += 1;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 200), "{outcomes:?}");
}
