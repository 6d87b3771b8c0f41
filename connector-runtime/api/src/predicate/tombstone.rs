//! Static analysis: whether a condition fails for tombstones.
//!
//! `value` is `null` for a tombstone, and reading a member of null is an error. So a condition is evaluated here with only
//! that value known, by CEL's rules: `&&` and `||` ignore an error of one operand if the other operand decides.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};

use super::compile::PLAIN;

/// The first member of `value` that the condition reads, such as `value.total`, if its evaluation fails for a tombstone or may
/// fail.
pub(super) fn failing_read(condition: &IdedExpr) -> Option<String> {
    match Scope::default().evaluate(condition) {
        Outcome::Fails(read) | Outcome::MayFail(read) => Some(read),
        Outcome::Null => Some("value".to_owned()),
        Outcome::True | Outcome::False | Outcome::NotNull | Outcome::Unknown => None,
    }
}

/// The result of an expression for a tombstone.
#[derive(Clone)]
enum Outcome {
    Null,
    True,
    False,
    /// A value that is not null.
    NotNull,
    Unknown,
    /// An error, and the member whose reading causes it.
    Fails(String),
    /// The same, unless a value that is unknown here prevents it.
    MayFail(String),
}

use Outcome::{Fails, False, MayFail, NotNull, Null, True, Unknown};

/// The variables of enclosing macros, which may shadow `value`.
#[derive(Default)]
struct Scope(Vec<String>);

impl Scope {
    fn evaluate(&mut self, node: &IdedExpr) -> Outcome {
        match &node.expr {
            Expr::Literal(LiteralValue::Null) => Null,
            Expr::Literal(LiteralValue::Boolean(boolean)) if *boolean.inner() => True,
            Expr::Literal(LiteralValue::Boolean(_)) => False,
            Expr::Literal(_) => NotNull,
            Expr::Ident(name) if name == "value" && !self.0.contains(name) => Null,
            Expr::Ident(_) | Expr::Unspecified => Unknown,
            Expr::Select(select) => {
                let read = || format!("value.{}", select.field);
                member(self.evaluate(&select.operand), read)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.all(&list.elements).unwrap_or(NotNull),
            Expr::Map(map) => {
                let mut outcome = NotNull;
                for entry in &map.entries {
                    outcome = match &entry.expr {
                        EntryExpr::MapEntry(entry) => after(
                            after(outcome, self.evaluate(&entry.key)),
                            self.evaluate(&entry.value),
                        ),
                        EntryExpr::StructField(field) => {
                            after(outcome, self.evaluate(&field.value))
                        }
                    };
                }
                outcome
            }
            Expr::Struct(_) => NotNull,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn call(&mut self, call: &CallExpr) -> Outcome {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (PLAIN, [inner]) => self.evaluate(inner),
            (operators::LOGICAL_AND, [left, right]) => {
                and(self.evaluate(left), self.evaluate(right))
            }
            (operators::LOGICAL_OR, [left, right]) => {
                let (left, right) = (self.evaluate(left), self.evaluate(right));
                not(and(not(left), not(right)))
            }
            (operators::LOGICAL_NOT, [operand]) => not(self.evaluate(operand)),
            (operators::CONDITIONAL, [condition, yes, no]) => match self.evaluate(condition) {
                True => self.evaluate(yes),
                False => self.evaluate(no),
                Null => Fails("value".to_owned()),
                failed @ (Fails(_) | MayFail(_)) => failed,
                NotNull | Unknown => {
                    let (yes, no) = (self.evaluate(yes), self.evaluate(no));
                    [yes, no]
                        .into_iter()
                        .find_map(Outcome::read)
                        .map_or(Unknown, MayFail)
                }
            },
            (operators::EQUALS, [left, right]) => equal(self.evaluate(left), self.evaluate(right)),
            (operators::NOT_EQUALS, [left, right]) => {
                not(equal(self.evaluate(left), self.evaluate(right)))
            }
            (operators::INDEX, [container, index]) => {
                let container = self.evaluate(container);
                let read = || match &index.expr {
                    Expr::Literal(LiteralValue::String(name)) => {
                        format!("value['{}']", name.inner())
                    }
                    _ => "value[…]".to_owned(),
                };
                after(self.evaluate(index), member(container, read))
            }
            // An element may be null, a container may not.
            (operators::IN, [element, container]) => {
                let container = member(self.evaluate(container), || "value".to_owned());
                after(self.evaluate(element), container)
            }
            ("type", [operand]) => after(self.evaluate(operand), NotNull),
            _ => self.operands(call),
        }
    }

    /// An operator or function that has no overload for null.
    fn operands(&mut self, call: &CallExpr) -> Outcome {
        let operands = call.target.as_deref().into_iter().chain(&call.args);
        let mut outcome = Unknown;
        for operand in operands {
            let operand = match self.evaluate(operand) {
                Null => Fails("value".to_owned()),
                other => other,
            };
            outcome = after(outcome, operand);
        }
        match outcome {
            failed @ (Fails(_) | MayFail(_)) => failed,
            _ => Unknown,
        }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Outcome {
        let range = member(self.evaluate(&comprehension.iter_range), || {
            "value".to_owned()
        });
        let outer = self.0.len();
        self.0.push(comprehension.iter_var.clone());
        self.0.extend(comprehension.iter_var2.clone());
        self.0.push(comprehension.accu_var.clone());
        let body = [
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ];
        // The body is not evaluated if there are no elements.
        let body = body.into_iter().find_map(|part| self.evaluate(part).read());
        self.0.truncate(outer);
        after(range, body.map_or(Unknown, MayFail))
    }

    /// The first error; `None` if all can be evaluated.
    fn all(&mut self, nodes: &[IdedExpr]) -> Option<Outcome> {
        let mut outcomes = nodes.iter().map(|node| self.evaluate(node));
        outcomes.find(|outcome| matches!(outcome, Fails(_) | MayFail(_)))
    }
}

impl Outcome {
    /// The member whose reading fails.
    fn read(self) -> Option<String> {
        match self {
            Fails(read) | MayFail(read) => Some(read),
            Null | True | False | NotNull | Unknown => None,
        }
    }
}

/// A member access, which fails for null.
fn member(container: Outcome, read: impl FnOnce() -> String) -> Outcome {
    match container {
        Null => Fails(read()),
        failed @ (Fails(_) | MayFail(_)) => failed,
        True | False | NotNull | Unknown => Unknown,
    }
}

/// Evaluates both; the result is that of the second.
fn after(first: Outcome, second: Outcome) -> Outcome {
    match (first, second) {
        (Fails(read), _) | (_, Fails(read)) => Fails(read),
        (MayFail(read), _) => MayFail(read),
        (_, second) => second,
    }
}

fn not(outcome: Outcome) -> Outcome {
    match outcome {
        True => False,
        False => True,
        Null => Fails("value".to_owned()),
        other => other,
    }
}

/// `false` on either side decides, even if the other side is an error.
fn and(left: Outcome, right: Outcome) -> Outcome {
    let is_null = |outcome: &Outcome| matches!(outcome, Null);
    match (left, right) {
        (False, _) | (_, False) => False,
        (left, right) if is_null(&left) || is_null(&right) => Fails("value".to_owned()),
        (True, other) | (other, True) => other,
        (Fails(read), Fails(_)) => Fails(read),
        (Fails(read) | MayFail(read), _) | (_, Fails(read) | MayFail(read)) => MayFail(read),
        _ => Unknown,
    }
}

fn equal(left: Outcome, right: Outcome) -> Outcome {
    match (left, right) {
        (Null, Null) => True,
        (Null, True | False | NotNull) | (True | False | NotNull, Null) => False,
        (Fails(read), _) | (_, Fails(read)) => Fails(read),
        (MayFail(read), _) | (_, MayFail(read)) => MayFail(read),
        _ => Unknown,
    }
}
