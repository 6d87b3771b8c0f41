//! The types that are known when a condition is compiled: whether its result can be a boolean, and whether a comparison has
//! operands of different types for every record.
//!
//! CEL evaluates such a comparison to unequal without an error: `value.at == timestamp('…')` would be false for every record.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};
use cel::common::value::Val;

use super::compile::{self, PLAIN};
use super::language::VARIABLES;
use super::times;

/// The type of an expression, for every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StaticType {
    Timestamp,
    Duration,
    /// A value of a record, or a literal.
    Plain,
}

/// The context of a comparison.
pub(super) struct StaticTypes<'a> {
    pub(super) constants: &'a [Box<dyn Val>],
    /// Variables of macros.
    pub(super) scopes: &'a [String],
}

impl StaticTypes<'_> {
    /// Refuses to compare an instant or a duration with anything else.
    pub(super) fn check_comparison(
        &self,
        operator: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<(), String> {
        let (Some(left), Some(right)) = (self.of(left), self.of(right)) else {
            return Ok(());
        };
        if left == right {
            return Ok(());
        }
        let operator = operator.trim_matches('_');
        let function = match (left, right) {
            (StaticType::Timestamp, _) | (_, StaticType::Timestamp) => times::TIMESTAMP,
            _ => times::DURATION,
        };
        Err(format!(
            "`{operator}` compares a {function} with something else; write `{function}(…)` on both sides, as in `timestamp(value.at) > timestamp('2026-01-01T00:00:00Z')`"
        ))
    }

    fn of(&self, node: &IdedExpr) -> Option<StaticType> {
        match &node.expr {
            Expr::Literal(_) | Expr::List(_) | Expr::Map(_) => Some(StaticType::Plain),
            Expr::Ident(name) => match compile::constant(self.constants, name) {
                Some(constant) => Some(of_name(constant.get_type().name())),
                None => self.is_variable(name).then_some(StaticType::Plain),
            },
            Expr::Select(select) => self.of_member(&select.operand),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (name @ (times::TIMESTAMP | times::DURATION), _) => Some(of_name(name)),
                (PLAIN, [inner]) => self.of(inner),
                (operators::INDEX, [container, _]) => self.of_member(container),
                (operators::ADD | operators::SUBSTRACT, [left, right]) => {
                    sum(&call.func_name, self.of(left)?, self.of(right)?)
                }
                ("int" | "uint" | "double" | "string" | "size" | "bytes", _) => {
                    Some(StaticType::Plain)
                }
                _ => None,
            },
            Expr::Unspecified | Expr::Struct(_) | Expr::Comprehension(_) => None,
        }
    }

    /// A member of the record is plain; a member of a list or map that the condition makes may be anything.
    fn of_member(&self, container: &IdedExpr) -> Option<StaticType> {
        match &container.expr {
            Expr::List(_) | Expr::Map(_) => None,
            _ => self.of(container),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        VARIABLES.contains(&name) && !self.scopes.iter().any(|scope| scope == name)
    }
}

fn of_name(name: &str) -> StaticType {
    match name {
        times::TIMESTAMP => StaticType::Timestamp,
        times::DURATION => StaticType::Duration,
        _ => StaticType::Plain,
    }
}

fn sum(operator: &str, left: StaticType, right: StaticType) -> Option<StaticType> {
    use StaticType::{Duration, Plain, Timestamp};
    match (left, right) {
        (Timestamp, Timestamp) if operator == operators::SUBSTRACT => Some(Duration),
        (Timestamp, Duration) => Some(Timestamp),
        (Duration, Timestamp) if operator == operators::ADD => Some(Timestamp),
        (Duration, Duration) => Some(Duration),
        (Plain, Plain) => Some(Plain),
        _ => None,
    }
}

/// `false` if the result is certainly not a boolean, for every record.
pub(super) fn may_be_boolean(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => false,
        Expr::Ident(name) => name == "value" || name == "key" || name.starts_with('@'),
        Expr::Call(call) => match call.func_name.as_str() {
            operators::CONDITIONAL => call
                .args
                .iter()
                .skip(1)
                .all(|branch| may_be_boolean(&branch.expr)),
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE => false,
            name => ![
                "size",
                "type",
                "bytes",
                "double",
                "int",
                "string",
                "uint",
                times::TIMESTAMP,
                times::DURATION,
            ]
            .contains(&name),
        },
        _ => true,
    }
}
