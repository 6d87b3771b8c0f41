//! The part of a record that a transform works on.

use connect_api::{Cause, Explanation, Field, Finding, Key, Record, Step, Value, pointer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value or the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    #[default]
    Value,
    Key,
}

impl Part {
    /// Changes this part in place. A tombstone and an absent key have nothing to change: they pass as they are.
    pub(crate) fn edit(
        self,
        mut record: Record,
        change: impl FnOnce(&mut Value) -> Result<(), Cause>,
    ) -> Result<Step, Cause> {
        let part = match self {
            Part::Value => record.value.as_mut(),
            Part::Key => match &mut record.key {
                Key::Absent => None,
                Key::Decoded(key) => Some(key),
                Key::Undecodable(reason) => return Err(Cause::new(&**reason)),
            },
        };
        if let Some(part) = part {
            change(part)?;
        }
        Ok(Step::Keep(record))
    }

    pub(crate) fn is_key(self) -> bool {
        self == Part::Key
    }
}

/// Puts `new` at the field.
pub(crate) fn insert(value: &mut Value, field: &Field, new: Value) -> Result<(), Cause> {
    value
        .insert(field.path(), new)
        .map_err(|error| Cause::new(error.message))
}

/// `transform.field`: of every transform that names fields as keys of a table, or needs them to have a name.
pub(crate) const FIELD: Explanation = Explanation {
    code: "transform.field",
    why: "A field is the name of a member at the top, or a path that starts with `$`. A dot in a bare name could mean either, so that it must be said.",
    example: "fields = { \"store.id\" = \"string\" }",
    fix: "fields = { \"$.store.id\" = \"string\" }",
};

/// `transform.content`: of transforms that need one key out of several.
pub(crate) const CONTENT: Explanation = Explanation {
    code: "transform.content",
    why: "Without one of its keys the transform would do nothing, and with two that exclude each other nobody knows which counts.",
    example: "[[transforms]]\ntype = \"insert_field\"\nfield = \"ingested_at\"",
    fix: "[[transforms]]\ntype = \"insert_field\"\nfield = \"ingested_at\"\nfrom = \"#now\"",
};

/// The field that is a key of the table at this pointer: keys of a table have no format that the loader could check.
pub(crate) fn parse_key(table: &str, key: &str) -> Result<Field, Finding> {
    Field::parse(key)
        .map_err(|reason| Finding::error("transform.field", pointer::member(table, key), reason))
}

#[cfg(test)]
pub(crate) mod testing {
    //! Records for tables of cases: the value's text, `key => value`, or `-` for what is absent.
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::Arc;

    use bytes::Bytes;
    use connect_api::{
        Cause, Finding, Header, JsonLimits, Key, Origin, Record, Step, Transform, TransformPlugin,
        Value,
    };

    fn parse(text: &str) -> Option<Value> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        (text != "-").then(|| {
            Value::parse_json(bytes, JsonLimits::default())
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        })
    }

    pub(crate) fn record(text: &str) -> Record {
        let (key, value) = text.split_once(" => ").unwrap_or(("-", text));
        Record {
            origin: Arc::new(Origin {
                topic: "sales".into(),
                partition: 3,
                offset: 42,
                timestamp_ms: Some(1_700_000_000_123),
                headers: vec![Header {
                    name: "trace".into(),
                    value: Some(Bytes::from_static(b"t1")),
                }],
                ..Origin::default()
            }),
            key: parse(key).map_or(Key::Absent, Key::Decoded),
            value: parse(value),
            ordinal: 0,
        }
    }

    pub(crate) fn build<P: TransformPlugin>(config: &str) -> Result<P::Transform, Finding> {
        let table: toml::Value =
            toml::from_str(config).unwrap_or_else(|error| panic!("{config}: {error}"));
        P::build(
            &table
                .try_into()
                .unwrap_or_else(|error| panic!("{config}: {error}")),
        )
    }

    pub(crate) fn apply<P: TransformPlugin>(config: &str, start: Record) -> Result<Record, Cause> {
        let mut transform = build::<P>(config).unwrap_or_else(|finding| panic!("{finding:?}"));
        match transform.apply(start)? {
            Step::Keep(record) => Ok(record),
            other => panic!("{other:?}"),
        }
    }

    fn print(record: &Record) -> String {
        let print = |value: Option<&Value>| value.map_or("-".to_owned(), Value::to_json);
        let value = print(record.value.as_ref());
        match &record.key {
            Key::Absent => value,
            Key::Decoded(key) => format!("{} => {value}", key.to_json()),
            Key::Undecodable(_) => format!("? => {value}"),
        }
    }

    /// Applies the transform to `start` and compares with `expected`; an error is `!` and a part of its message.
    #[track_caller]
    pub(crate) fn check<P: TransformPlugin>(config: &str, start: &str, expected: &str) {
        match (
            apply::<P>(config, record(start)),
            expected.strip_prefix('!'),
        ) {
            (Ok(record), None) => assert_eq!(print(&record), expected, "{config}\n{start}"),
            (Err(cause), Some(message)) => {
                assert!(
                    cause.to_string().contains(message),
                    "{config}\n{start}\n{cause}"
                );
            }
            (outcome, _) => panic!("{config}\n{start}\n{outcome:?}"),
        }
    }

    /// The plugin must not build, and must point there and say that.
    #[track_caller]
    pub(crate) fn check_refused<P: TransformPlugin>(config: &str, pointer: &str, message: &str) {
        match build::<P>(config) {
            Ok(_) => panic!("{config} is taken"),
            Err(finding) => {
                assert_eq!(finding.pointer, pointer, "{config}: {finding:?}");
                assert!(finding.message.contains(message), "{config}: {finding:?}");
                let mut explained = P::EXPLANATIONS.iter();
                assert!(explained.any(|one| one.code == finding.code), "{finding:?}");
            }
        }
    }
}
