//! `when`: a condition in CEL over a record.
//!
//! | variable | what it is |
//! |---|---|
//! | `value` | the decoded value; `null` for a tombstone |
//! | `key` | the decoded key; `null` where there is none |
//! | `headers` | text by name (bytes where it is not UTF-8); of equal headers the last |
//! | `topic`, `partition`, `offset` | where the record stands in Kafka |
//! | `timestamp` | the record's time in milliseconds since 1970, an integer; `null` where it has none |
//!
//! A number that is written as an integer and fits 64 bits is an `int` (or `uint`), every other one a `double`: they
//! compare with each other by their amount (`value.total > 100` holds for `100.5` and `101` alike), but they do not
//! add up without a conversion (`double(value.total) * 1.19`). A double holds about 16 digits.
//!
//! A field that is missing is an error, which makes the record a reject; `has(value.total)` asks first. A member whose
//! name is no identifier is read as `value['odd name']`.
//!
//! Nothing of the record is copied: `values` hands CEL one place at a time.

mod compile;
mod functions;
mod values;

use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelNull, CelString, DYN_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError};

use self::compile::Compiled;
use self::functions::{PATTERN_TYPE, PatternVal};
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

/// The standard functions, and the two that `compile` writes into expressions.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    let plain = environment.add_overload(compile::PLAIN, "plain", vec![DYN_TYPE], functions::plain);
    let matches = environment.add_overload(
        compile::MATCHES,
        "matches",
        vec![STRING_TYPE, PATTERN_TYPE],
        functions::matches,
    );
    debug_assert!(plain.is_ok() && matches.is_ok());
    Arc::new(environment)
});

impl Predicate {
    /// Compiles a condition. Refused beside bad syntax: what CEL would only find when a record comes (unknown variables
    /// and functions, bad regular expressions, a result that is not true or false), and macros nested more than twice.
    pub fn parse(text: &str) -> Result<Predicate, String> {
        compile::compile(text)
            .map(|compiled| Predicate {
                text: text.into(),
                compiled: Arc::new(compiled),
            })
            .map_err(|reason| format!("`{text}` is not a condition: {reason}"))
    }

    /// The condition as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the decoded key is read.
    pub fn uses_key(&self) -> bool {
        self.compiled.uses_key
    }

    /// Whether the record meets the condition. `Err` (a missing field, say) is the record's fault; it contains nothing
    /// of the record.
    pub fn matches(&self, record: &Record) -> Result<bool, String> {
        if let (true, Key::Undecodable(reason)) = (self.uses_key(), &record.key) {
            return Err(format!("`{}` reads the key: {reason}", self.text));
        }
        let resolver = RecordVariables {
            record,
            patterns: &self.compiled.patterns,
        };
        let mut context = Context::with_env(ENVIRONMENT.clone());
        context.set_variable_resolver(&resolver);
        match cel::Value::resolve_val(&self.compiled.expression, &context) {
            Ok(result) => match result.downcast_ref::<CelBool>() {
                Some(holds) => Ok(*holds.inner()),
                None => Err(format!(
                    "`{}` gives {}, neither true nor false",
                    self.text,
                    result.get_type().name()
                )),
            },
            Err(error) => Err(format!("`{}`: {}", self.text, self.explain(&error))),
        }
    }

    /// CEL's own messages print values, ours do not.
    fn explain(&self, error: &ExecutionError) -> String {
        match error {
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
                let types = call.argument_types().join(", ");
                format!("`{operator}` does not work on ({types})")
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
    patterns: &'a [PatternVal],
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
            _ => CowVal::Borrowed(compile::pattern(self.patterns, variable)?),
        })
    }
}

impl std::fmt::Debug for Predicate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(
    Predicate,
    "predicate",
    "A condition in CEL over `value key headers topic partition offset timestamp`, such as `value.total > 100 && value.store.country == 'DE'`; `has(value.total)` asks whether a field is there.",
    Predicate::parse
);
