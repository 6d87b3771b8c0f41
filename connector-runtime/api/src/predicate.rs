//! `when`: a condition in CEL over a record.
//!
//! | variable | what it is |
//! |---|---|
//! | `value` | the decoded value; `null` for a tombstone, of which nothing can be read: `value == null \|\| value.total > 0` |
//! | `key` | the decoded key; `null` where there is none |
//! | `headers` | text by name (bytes where it is not UTF-8); of equal headers the last |
//! | `topic`, `partition`, `offset` | where the record stands in Kafka |
//! | `timestamp` | the record's time in milliseconds since 1970, an integer; `null` where it has none |
//!
//! A number that is written as an integer and fits 64 bits is an `int` (or `uint`), every other one a `double`: they
//! compare with each other by their amount (`value.total > 100` holds for `100.5` and `101` alike), but they do not
//! add up without a conversion (`double(value.total) * 1.19`). A double holds about 16 digits.
//!
//! `timestamp('2026-11-20T20:35:19Z')` and `duration('1h30m')` make instants and lengths of time (units d h m s ms us ns),
//! which compare with their like, and add and subtract as in CEL. A number is an instant too: `timestamp(value.at, 'ms')`,
//! with the unit `s`, `ms`, `us` or `ns`, and seconds where none is written, as CEL has it.
//!
//! A field that is missing is an error, which makes the record a reject; `has(value.total)` asks first. A member whose
//! name is no identifier is read as `value['odd name']`.
//!
//! A condition may go through 500,000 elements and members of a record, however its macros multiply them. A record for
//! which it would take more is rejected.
//!
//! Nothing of the record is copied: `values` hands CEL one place at a time.

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

/// Separates a condition from its text as written. No condition contains it.
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
    /// Compiles a condition. Refused beside bad syntax: what CEL would only find when a record comes (unknown variables
    /// and functions, bad regular expressions, a result that is not true or false), and macros nested more than twice.
    pub fn parse(text: &str) -> Result<Predicate, String> {
        let (text, written) = text.split_once(AS_WRITTEN).unwrap_or((text, text));
        compile::compile(text)
            .map(|compiled| Predicate {
                text: written.into(),
                compiled: Arc::new(compiled),
            })
            .map_err(|reason| format!("`{written}` is not a condition: {reason}"))
    }

    /// What [`Predicate::parse`] takes where placeholders were replaced in a condition: its messages show the condition as
    /// it was written, with `${env:…}` instead of its value.
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

    /// What the condition reads of a tombstone, as in `value.total`, if that makes it fail, or may: a tombstone has no
    /// value. `None` where the condition asks first, or reads nothing of the value.
    pub fn read_of_tombstone(&self) -> Option<&str> {
        self.compiled.read_of_tombstone.as_deref()
    }

    /// Whether the record meets the condition. `Err` (a missing field, say) is the record's fault; it contains nothing
    /// of the record.
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
                    "`{}` gives {}, neither true nor false",
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
            // A key may be computed from the record, unless it stands in the condition itself.
            ExecutionError::NoSuchKey(name) if self.text.contains(name.as_str()) => {
                format!("`{name}` is missing; `has()` asks whether a field is there")
            }
            ExecutionError::NoSuchKey(_) => "a key is missing".into(),
            ExecutionError::IndexOutOfBounds(_) => {
                "an array has no such element; `size()` asks how many there are".into()
            }
            ExecutionError::NoSuchOverload(call) => {
                let operator = call.function().trim_matches(['_', '@']);
                let types = call.argument_types();
                let help = match (operator, types.first().map(String::as_str)) {
                    ("." | "[]", Some("null_type")) => {
                        "; null has no members, `… != null &&` asks first"
                    }
                    (times::TIMESTAMP, _) => {
                        "; it takes text (RFC 3339), or an integer with a unit: `timestamp(value.at, 'ms')`"
                    }
                    (times::DURATION, _) => "; it takes text such as '1h30m'",
                    _ => "",
                };
                format!("`{operator}` does not work on ({}){help}", types.join(", "))
            }
            // Its messages are ours, and show nothing of the record.
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

/// Gives CEL the variables of one record, as places and never as copies.
struct RecordVariables<'a> {
    record: &'a Record,
    constants: &'a [Box<dyn Val>],
}

impl VariableResolver for RecordVariables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let origin = &self.record.origin;
        let place = |root: Option<ValueRef<'b>>| match root {
            Some(root) => CowVal::Owned(values::of_place(root)),
            None => CowVal::owned(CelNull),
        };
        Some(match variable {
            "value" => place(self.record.root()),
            "key" => place(match &self.record.key {
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
    const ABOUT: &'static str = "A condition in CEL over `value key headers topic partition offset timestamp`, such as `value.total > 100 && value.store.country == 'DE'`; `has(value.total)` asks whether a field is there, `value == null || …` whether the record is a tombstone, and `timestamp(value.at) > timestamp('2026-01-01T00:00:00Z')` compares times.";
    const EXPECTED: &'static str = "a condition in CEL such as \"value.total > 100.0\"";
    const STAND_IN: Option<&'static str> = Some("true");
});
