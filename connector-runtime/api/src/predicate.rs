//! `when`: a condition in CEL over a record.
//!
//! | variable | what it is |
//! |---|---|
//! | `value` | the decoded value; `null` for a tombstone, which has no members: `value == null \|\| value.total > 0` |
//! | `key` | the decoded key; `null` if there is none |
//! | `headers` | text by name (bytes if it is not UTF-8); the last of several headers with one name |
//! | `topic`, `partition`, `offset` | the record's position in Kafka |
//! | `timestamp` | the record's timestamp in milliseconds since 1970, an integer; `null` if it has none |
//!
//! A number that is written as an integer and fits 64 bits is an `int` (or `uint`), any other a `double`. They compare by
//! value (`value.total > 100` holds for `100.5` and `101` alike), but arithmetic needs a conversion
//! (`double(value.total) * 1.19`). A double holds about 16 digits.
//!
//! `timestamp('2026-11-20T20:35:19Z')` and `duration('1h30m')` make instants and durations (units d h m s ms us ns), which
//! compare with their own kind, and add and subtract as in CEL. A number becomes an instant by `timestamp(value.at, 'ms')`,
//! with the unit `s`, `ms`, `us` or `ns`; without a unit it counts seconds, as in CEL.
//!
//! A missing field is an error, which rejects the record; `has(value.total)` tests for it. A member whose name is not an
//! identifier is read as `value['odd name']`.
//!
//! A condition may visit 500,000 elements and members of a record, counted over all iterations of its macros. A record that
//! needs more is rejected.
//!
//! The record is not copied: `values` gives CEL references to its nodes.

mod budget;
mod compile;
mod functions;
mod language;
mod static_types;
mod times;
mod tombstone;
mod values;

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelNull, CelString, DYN_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError};

use self::compile::Compiled;
use self::functions::PATTERN_TYPE;
use self::values::MapVal;
use crate::leaf::leaf_type;
use crate::record::{Key, Record};
use crate::value::ValueRef;

/// A compiled condition over `value key headers topic partition offset timestamp`.
#[derive(Clone)]
pub struct Predicate {
    text: Arc<str>,
    compiled: Arc<Compiled>,
}

/// Separates a condition from its text as written. No condition contains this character.
const AS_WRITTEN: char = '\0';

/// The standard functions, those of times, and the two that `compile` writes into expressions.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    let plain = environment.add_overload(compile::PLAIN, "plain", vec![DYN_TYPE], functions::plain);
    let matches = environment.add_overload(
        compile::MATCHES,
        "matches",
        vec![STRING_TYPE, PATTERN_TYPE],
        functions::matches,
    );
    let times = times::register(&mut environment);
    [plain, matches, times]
        .into_iter()
        .collect::<Result<(), _>>()
        .expect("no two overloads have the same name and types");
    Arc::new(environment)
});

impl Predicate {
    /// Compiles a condition. Besides syntax errors it refuses what CEL would find only at the first record (unknown variables
    /// and functions, invalid regular expressions, a result that is not a boolean), and macros nested more than twice.
    pub fn parse(text: &str) -> Result<Predicate, String> {
        let (text, written) = text.split_once(AS_WRITTEN).unwrap_or((text, text));
        compile::compile(text)
            .map(|compiled| Predicate {
                text: written.into(),
                compiled: Arc::new(compiled),
            })
            .map_err(|reason| format!("`{written}` is not a condition: {reason}"))
    }

    /// The input of [`Predicate::parse`] for a condition whose placeholders were replaced: messages show the condition as it was
    /// written, with `${env:…}` instead of the value.
    pub fn substituted(text: &str, written: &str) -> String {
        format!("{text}{AS_WRITTEN}{written}")
    }

    /// The condition as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the decoded key is read.
    pub fn uses_key(&self) -> bool {
        self.compiled.uses_key
    }

    /// The member that the condition reads of a tombstone, such as `value.total`, if that makes it fail or may make it fail: a
    /// tombstone has no value. `None` if the condition tests for null first, or does not read the value.
    pub fn read_of_tombstone(&self) -> Option<&str> {
        self.compiled.read_of_tombstone.as_deref()
    }

    /// Whether the record meets the condition. `Err` (such as a missing field) is the record's fault; the message contains no
    /// content of the record.
    pub fn matches(&self, record: &Record) -> Result<bool, String> {
        if let (true, Key::Undecodable(reason)) = (self.uses_key(), &record.key) {
            return Err(format!("`{}` reads the key: {reason}", self.text));
        }
        let resolver = RecordVariables {
            record,
            constants: &self.compiled.constants,
        };
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.set_variable_resolver(&resolver);
        budget::refill();
        let result = cel::Value::resolve_val(&self.compiled.expression, &context);
        if budget::is_exceeded() {
            return Err(format!(
                "`{}` takes more than {} steps for this record",
                self.text,
                budget::MOST_STEPS
            ));
        }
        match result {
            Ok(result) => match result.downcast_ref::<CelBool>() {
                Some(holds) => Ok(*holds.inner()),
                None => Err(format!(
                    "`{}` is {}, not a boolean",
                    self.text,
                    result.get_type().name()
                )),
            },
            Err(error) => Err(format!("`{}`: {}", self.text, self.explain(&error, record))),
        }
    }

    /// CEL's own messages print values, ours do not.
    fn explain(&self, error: &ExecutionError, record: &Record) -> String {
        match error {
            ExecutionError::NoSuchOverload(_) | ExecutionError::UnexpectedType { .. }
                if record.value.is_none() && self.read_of_tombstone().is_some() =>
            {
                let read = self.read_of_tombstone().unwrap_or("value");
                format!(
                    "the record is a tombstone (no value), the condition reads `{read}`; write `value == null || …` (or `value != null && …`)"
                )
            }
            // A key that is not in the text of the condition was computed from the record, and is not shown.
            ExecutionError::NoSuchKey(name) if self.text.contains(name.as_str()) => {
                format!("`{name}` is missing; `has()` tests whether a field exists")
            }
            ExecutionError::NoSuchKey(_) => "a key is missing".into(),
            ExecutionError::IndexOutOfBounds(_) => {
                "index out of bounds; `size()` returns the number of elements".into()
            }
            ExecutionError::NoSuchOverload(call) => {
                let operator = call.function().trim_matches(['_', '@']);
                let types = call.argument_types();
                let help = match (operator, types.first().map(String::as_str)) {
                    ("." | "[]", Some("null_type")) => {
                        "; null has no members, `… != null &&` tests for it"
                    }
                    (times::TIMESTAMP, _) => {
                        "; it takes text (RFC 3339), or an integer with a unit: `timestamp(value.at, 'ms')`"
                    }
                    (times::DURATION, _) => "; it takes text such as '1h30m'",
                    _ => "",
                };
                format!("`{operator}` does not work on ({}){help}", types.join(", "))
            }
            // These messages are ours, and show no content of the record.
            ExecutionError::FunctionError { function, message }
                if [times::TIMESTAMP, times::DURATION].contains(&function.as_str()) =>
            {
                format!("`{function}`: {message}")
            }
            ExecutionError::UnexpectedType { got, want } => {
                format!("{got} found where {want} was expected")
            }
            ExecutionError::FunctionError { function, .. } => {
                format!("`{function}` does not take this text")
            }
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "division by zero".into()
            }
            ExecutionError::Overflow(..) => "the result exceeds 64 bits".into(),
            ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
                format!("`{operator}` does not work on values of these types")
            }
            _ => "it cannot be evaluated for this record".into(),
        }
    }
}

/// Gives CEL the variables of one record, by reference.
struct RecordVariables<'a> {
    record: &'a Record,
    constants: &'a [Box<dyn Val>],
}

impl VariableResolver for RecordVariables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let origin = &self.record.origin;
        let node = |root: Option<ValueRef<'b>>| match root {
            Some(root) => CowVal::Owned(values::of_node(root)),
            None => CowVal::owned(CelNull),
        };
        Some(match variable {
            "value" => node(self.record.root()),
            "key" => node(match &self.record.key {
                Key::Decoded(key) => Some(key.root()),
                Key::Absent | Key::Undecodable(_) => None,
            }),
            "headers" => CowVal::owned(MapVal::of_headers(&origin.headers)),
            "topic" => CowVal::owned(CelString::from(&*origin.topic)),
            "partition" => CowVal::owned(CelInt::from(i64::from(origin.partition))),
            "offset" => CowVal::owned(CelInt::from(origin.offset)),
            "timestamp" => match origin.timestamp_ms {
                Some(milliseconds) => CowVal::owned(CelInt::from(milliseconds)),
                None => CowVal::owned(CelNull),
            },
            _ => CowVal::Borrowed(compile::constant(self.constants, variable)?),
        })
    }
}

impl std::fmt::Debug for Predicate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(Predicate {
    const FORMAT: &'static str = "predicate";
    const ABOUT: &'static str = "A condition in CEL over `value key headers topic partition offset timestamp`, such as `value.total > 100 && value.store.country == 'DE'`; `has(value.total)` tests whether a field exists, `value == null || …` whether the record is a tombstone, and `timestamp(value.at) > timestamp('2026-01-01T00:00:00Z')` compares times.";
    const EXPECTED: &'static str = "a condition in CEL such as \"value.total > 100.0\"";
    const STAND_IN: Option<&'static str> = Some("true");
});
