//! `pick`: puts random choices into fields. A record that is processed again gets the same ones.
//!
//! The choice is a pure function of the record's topic, partition, offset and ordinal, the field and the list: FNV-1a
//! (64 bits) hashes them, and the hash seeds SplitMix64. Both algorithms are written here instead of taken from a
//! library, because a library may change its algorithm between versions, and a replay would then choose other tags.

use std::collections::BTreeMap;

use connect_api::{
    Cause, Explanation, Field, Finding, Record, Step, Transform, TransformPlugin, Value,
    ValueBuilder, ValueLimits, pointer,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

const CHOICES: Explanation = Explanation {
    code: "transform.choices",
    why: "`pick` chooses `count` different indexes of each list, so every list needs at least that many choices.",
    example: "count = 3\nfields = { tags = [\"red\", \"blue\"] }",
    fix: "count = 2\nfields = { tags = [\"red\", \"blue\"] }",
};

/// The plugin `pick`.
pub struct Pick;

/// Puts random choices from lists into fields. The choice follows from the record's topic, partition and offset: a
/// record that is processed again gets the same one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Lists of choices by field: `{ hobby = ["chess", "running"], "$.tags.major" = ["law", "physics"] }`.
    #[schemars(extend("minProperties" = 1))]
    fields: BTreeMap<String, Vec<serde_json::Value>>,
    /// How many different indexes of each list are chosen: 1 inserts the choice itself, more insert an array.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    count: usize,
    /// Another seed leads to other choices.
    #[serde(default)]
    seed: u64,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

fn one() -> usize {
    1
}

/// A built `pick`.
pub struct PickFields {
    fields: Vec<(Field, Vec<Value>)>,
    count: usize,
    seed: u64,
    on: Part,
}

impl TransformPlugin for Pick {
    const NAME: &'static str = "pick";
    const ABOUT: &'static str = "puts random choices into fields, the same ones in a replay";
    const EXAMPLE: &'static str = r#"[[transforms]]
type = "pick"

[transforms.fields]
major = ["biology", "law", "physics"]
hobby = ["chess", "running"]
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD, CHOICES];
    type Config = Config;
    type Transform = PickFields;

    fn build(config: &Config) -> Result<PickFields, Finding> {
        let mut fields = Vec::new();
        for (name, choices) in &config.fields {
            let field = part::parse_key("/fields", name)?;
            if choices.len() < config.count.max(1) {
                let message = format!(
                    "the list of `{name}` has {} choices, and `count` is {}",
                    choices.len(),
                    config.count
                );
                let pointer = pointer::member("/fields", name);
                return Err(Finding::error("transform.choices", pointer, message));
            }
            fields.push((field, choices.iter().map(Value::from).collect()));
        }
        Ok(PickFields {
            fields,
            count: config.count,
            seed: config.seed,
            on: config.on,
        })
    }
}

impl Transform for PickFields {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let identity = self.identity(&record);
        self.on.edit(record, |part| {
            for (field, choices) in &self.fields {
                let mut random = SplitMix64(identity.bytes(field.to_string().as_bytes()).0);
                let picked = match random.indexes(choices.len(), self.count).as_slice() {
                    [index] => choices.get(*index).cloned().unwrap_or_else(Value::null),
                    indexes => array_of(indexes.iter().filter_map(|index| choices.get(*index))),
                };
                part::insert(part, field, picked)?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

impl PickFields {
    fn identity(&self, record: &Record) -> Fnv1a {
        let origin = &record.origin;
        Fnv1a::new()
            .bytes(&self.seed.to_le_bytes())
            .bytes(origin.topic.as_bytes())
            // No topic contains this character, so two identities never give the same bytes.
            .bytes(b"\0")
            .bytes(&origin.partition.to_le_bytes())
            .bytes(&origin.offset.to_le_bytes())
            .bytes(&record.ordinal.to_le_bytes())
    }
}

fn array_of<'a>(elements: impl Iterator<Item = &'a Value>) -> Value {
    let mut builder = ValueBuilder::new(ValueLimits::default());
    let built = builder.begin_array().and_then(|()| {
        for element in elements {
            builder.copy(element.root())?;
        }
        builder.end()
    });
    built.expect("choices of a configuration file are far below every limit");
    builder.finish()
}

/// The 64-bit hash of Fowler, Noll and Vo, variant 1a.
#[derive(Clone, Copy)]
struct Fnv1a(u64);

impl Fnv1a {
    fn new() -> Fnv1a {
        Fnv1a(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(self, bytes: &[u8]) -> Fnv1a {
        Fnv1a(bytes.iter().fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

/// Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`: the upper half of a product. Its bias is too small to measure.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// `count` different indexes into a list of `length`, in random order.
    fn indexes(&mut self, length: usize, count: usize) -> Vec<usize> {
        let mut indexes: Vec<usize> = (0..length).collect();
        let count = count.min(length);
        for next in 0..count {
            let other = next + self.below(length - next);
            indexes.swap(next, other);
        }
        indexes.truncate(count);
        indexes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use connect_testkit::transforms::{apply, check, check_refused, record_of};

    const TAGS: &str =
        "fields = { hobby = ['chess', 'running', 'baking'], major = ['law', 'art'] }";

    fn at(partition: i32, offset: i64, ordinal: u32) -> Record {
        let mut record = record_of("{}");
        let origin = Arc::make_mut(&mut record.origin);
        (origin.partition, origin.offset) = (partition, offset);
        record.ordinal = ordinal;
        record
    }

    fn picked(config: &str, record: Record) -> String {
        let made = apply::<Pick>(config, record).unwrap();
        made.value.unwrap().to_json()
    }

    /// These choices must never change: they are stored in users' tables.
    #[test]
    fn the_choice_is_a_fixed_function_of_the_identity() {
        let picks: Vec<String> = (0..4)
            .map(|offset| picked(TAGS, at(3, offset, 0)))
            .collect();
        assert_eq!(picks, PINNED);
    }

    const PINNED: [&str; 4] = [
        r#"{"hobby":"baking","major":"law"}"#,
        r#"{"hobby":"baking","major":"law"}"#,
        r#"{"hobby":"baking","major":"law"}"#,
        r#"{"hobby":"chess","major":"law"}"#,
    ];

    /// The test vectors of the publications.
    #[test]
    fn hash_and_generator_are_the_published_ones() {
        assert_eq!(Fnv1a::new().bytes(b"a").0, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv1a::new().bytes(b"foobar").0, 0x8594_4171_f739_67e8);
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn partition_offset_ordinal_field_and_seed_matter() {
        let config = format!(
            "fields = {{ a = {0}, b = {0} }}",
            format_args!("{:?}", (0..1000).collect::<Vec<_>>())
        );
        let start = picked(&config, at(0, 0, 0));
        assert_eq!(start, picked(&config, at(0, 0, 0)));
        for other in [at(1, 0, 0), at(0, 1, 0), at(0, 0, 1)] {
            assert_ne!(start, picked(&config, other));
        }
        assert_ne!(start, picked(&format!("seed = 1\n{config}"), at(0, 0, 0)));
        let parsed: serde_json::Value = serde_json::from_str(&start).unwrap();
        assert_ne!(parsed.get("a"), parsed.get("b"));
    }

    #[test]
    fn choices_are_even() {
        let mut counts = BTreeMap::<String, u32>::new();
        for offset in 0..6_000 {
            *counts.entry(picked(TAGS, at(0, offset, 0))).or_default() += 1;
        }
        assert_eq!(counts.len(), 6, "every pair of a hobby and a major");
        for (pair, count) in counts {
            assert!((850..1150).contains(&count), "{pair}: {count}");
        }
    }

    #[test]
    fn several_choices_have_different_indexes() {
        let config = "fields = { tags = [1, 2, 3, 4, 5] }\ncount = 3";
        for offset in 0..200 {
            let made = apply::<Pick>(config, at(0, offset, 0)).unwrap();
            let tags = made
                .root()
                .unwrap()
                .get("tags")
                .unwrap()
                .elements()
                .unwrap();
            let mut tags: Vec<i64> = tags
                .map(|tag| tag.as_number().unwrap().as_i64().unwrap())
                .collect();
            tags.sort_unstable();
            tags.dedup();
            assert_eq!(tags.len(), 3);
        }
    }

    #[test]
    fn choices_are_put_anywhere() {
        for (config, start, expected) in [
            (
                "fields = { '$.tags.major' = ['law'] }",
                r#"{"a":1}"#,
                r#"{"a":1,"tags":{"major":"law"}}"#,
            ),
            (
                "fields = { a = [{b = 1.5}] }",
                r#"{"a":0,"c":1}"#,
                r#"{"a":{"b":1.5},"c":1}"#,
            ),
            (
                "fields = { a = ['x', 'x'] }\ncount = 2",
                "{}",
                r#"{"a":["x","x"]}"#,
            ),
            (
                "fields = { a = ['x'] }\non = 'key'",
                "{} => 1",
                r#"{"a":"x"} => 1"#,
            ),
            ("fields = { a = ['x'] }", "-", "-"),
            (
                "fields = { a = ['x'] }",
                "1",
                "!number found where an object was expected",
            ),
        ] {
            check::<Pick>(config, start, expected);
        }
        check_refused::<Pick>("fields = { a = [] }", "/fields/a", "has 0 choices");
        check_refused::<Pick>(
            "fields = { a = [1] }\ncount = 2",
            "/fields/a",
            "has 1 choices, and `count` is 2",
        );
        check_refused::<Pick>("fields = { 'a.b' = [1] }", "/fields/a.b", "starts with `$`");
    }
}
