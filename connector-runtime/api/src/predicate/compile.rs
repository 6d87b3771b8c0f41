//! Compiles the text of a condition, and finds every error that does not depend on a record.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::CelString;
use cel::common::value::Val;
use cel::parser::{ParseErrors, Parser};

use super::functions::PatternVal;
use super::language::{COMPARISONS, FUNCTIONS, OPERATORS, TYPES, VARIABLES};
use super::static_types::{self, StaticTypes};
use super::times::{self, DurationVal, TimestampVal};
use super::tombstone;
use crate::units::Pattern;

/// A compiled condition: what a [`super::Predicate`] evaluates.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) expression: IdedExpr,
    /// Patterns and times, parsed once for all records.
    pub(super) constants: Vec<Box<dyn Val>>,
    pub(super) uses_key: bool,
    /// The member of `value` whose reading fails for a tombstone.
    pub(super) read_of_tombstone: Option<String>,
}

/// Wraps an operand of `==`, `!=` or `in` that may be a node of the record (see `functions::plain`).
pub(super) const PLAIN: &str = "@plain";
/// `text.matches('…')` with the pattern compiled once, as a variable: CEL's own compiles it for every record.
pub(super) const MATCHES: &str = "@matches";
/// The variables of constants: `@constant0`, `@constant1`, …
const CONSTANT_PREFIX: &str = "@constant";

/// CEL's parser recurses with large frames; these limits keep it within its stack.
const COMPILER_STACK_BYTES: usize = 32 << 20;
const LONGEST_TEXT: usize = 4_000;
const DEEPEST_BRACKETS: usize = 32;
/// Evaluation recurses, too.
const DEEPEST_EXPRESSION: usize = 64;
const TOO_DEEP: &str = "it is nested too deeply";
/// A macro visits every element, so nested macros multiply.
const DEEPEST_MACRO: usize = 2;

/// Compiles on a thread of its own, whose stack is large enough for the limits above.
pub(super) fn compile(text: &str) -> Result<Compiled, String> {
    if text.trim().is_empty() {
        return Err("it is empty; write one such as `value.total > 100`".into());
    }
    if text.len() > LONGEST_TEXT || bracket_depth(text) > DEEPEST_BRACKETS {
        return Err(format!(
            "it is longer than {LONGEST_TEXT} bytes or has more than {DEEPEST_BRACKETS} nested brackets"
        ));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("cel-compiler".into())
            .stack_size(COMPILER_STACK_BYTES)
            .spawn_scoped(scope, || compile_here(text))
            .map_err(|error| format!("the thread that compiles it cannot be started: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("CEL's parser cannot process it".into()))
    })
}

fn compile_here(text: &str) -> Result<Compiled, String> {
    let mut expression = Parser::new()
        .parse(text)
        .map_err(|errors| syntax_error(text, &errors))?;
    let mut compiler = Compiler::default();
    compiler.visit(&mut expression)?;
    if !static_types::may_be_boolean(&expression.expr) {
        return Err("its result is not a boolean; compare it, as in `… > 0`".into());
    }
    Ok(Compiled {
        read_of_tombstone: tombstone::failing_read(&expression),
        expression,
        constants: compiler.constants,
        uses_key: compiler.uses_key,
    })
}

/// The depth of nested brackets, including those in string literals.
fn bracket_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The constant with this variable name.
pub(super) fn constant<'a>(constants: &'a [Box<dyn Val>], variable: &str) -> Option<&'a dyn Val> {
    let index: usize = variable.strip_prefix(CONSTANT_PREFIX)?.parse().ok()?;
    constants.get(index).map(|constant| &**constant)
}

fn syntax_error(text: &str, errors: &ParseErrors) -> String {
    let (column, reason) = errors
        .errors
        .iter()
        .map(|error| (error.pos.1, error.msg.as_str()))
        .min_by_key(|(column, _)| *column)
        .unwrap_or((0, "syntax"));
    if reason.contains("Recursion limit") {
        return TOO_DEEP.into();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let help = if words.contains(&"and") || words.contains(&"or") || words.contains(&"not") {
        "; write `&&`, `||` and `!`"
    } else if reason.contains("at: '=") {
        "; write `==` to compare"
    } else {
        ""
    };
    let reason = reason.lines().next().unwrap_or_default();
    format!("{reason} (column {column}){help}")
}

#[derive(Default)]
struct Compiler {
    /// Variables of the macros that enclose the node being visited.
    scopes: Vec<String>,
    macro_depth: usize,
    depth: usize,
    constants: Vec<Box<dyn Val>>,
    uses_key: bool,
}

impl Compiler {
    fn visit(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST_EXPRESSION {
            return Err(TOO_DEEP.into());
        }
        self.visit_inner(node)?;
        self.depth -= 1;
        Ok(())
    }

    fn visit_inner(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        match &mut node.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => self.visit(&mut select.operand),
            Expr::List(list) => list
                .elements
                .iter_mut()
                .try_for_each(|element| self.visit(element)),
            Expr::Map(map) => map
                .entries
                .iter_mut()
                .try_for_each(|entry| match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        self.visit(&mut entry.key)?;
                        self.visit(&mut entry.value)
                    }
                    EntryExpr::StructField(field) => self.visit(&mut field.value),
                }),
            Expr::Struct(made) => Err(format!(
                "`{}` is not supported: a condition has objects, arrays and plain values",
                made.type_name
            )),
            Expr::Call(_) => self.call(node),
            Expr::Comprehension(_) => self.comprehension(node),
        }
    }

    fn identifier(&mut self, name: &str) -> Result<(), String> {
        let known = VARIABLES.contains(&name)
            || TYPES.contains(&name)
            || name.starts_with('@')
            || self.scopes.iter().any(|scope| scope == name);
        if !known {
            return Err(format!(
                "`{name}` is not a variable; variables are {}, and a field of the record is `value.{name}`",
                VARIABLES.join(" ")
            ));
        }
        self.uses_key |= name == "key" && !self.scopes.iter().any(|scope| scope == name);
        Ok(())
    }

    fn call(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        let Expr::Call(call) = &mut node.expr else {
            return Ok(());
        };
        let name = call.func_name.as_str();
        let known = OPERATORS.contains(&name)
            || [operators::NEGATE, operators::IN].contains(&name)
            || name == operators::NOT_STRICTLY_FALSE
            || FUNCTIONS.contains(&name);
        if !known {
            return Err(format!(
                "`{name}` is not a function; functions are {} and the macros has all exists exists_one map filter",
                FUNCTIONS.join(" ")
            ));
        }
        for operand in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
            self.visit(operand)?;
        }
        if let (name, [left, right]) = (call.func_name.as_str(), call.args.as_slice())
            && COMPARISONS.contains(&name)
        {
            let types = StaticTypes {
                constants: &self.constants,
                scopes: &self.scopes,
            };
            types.check_comparison(name, left, right)?;
        }
        match (call.func_name.as_str(), call.args.as_mut_slice()) {
            (operators::EQUALS | operators::NOT_EQUALS, [left, right])
                if !is_scalar(left) && !is_scalar(right) =>
            {
                make_plain(right);
                Ok(())
            }
            (operators::IN, [element, container])
                if !is_scalar(element) && !is_list_of_scalars(container) =>
            {
                make_plain(element);
                Ok(())
            }
            ("matches", _) => self.compile_pattern(call),
            (times::TIMESTAMP | times::DURATION, [_] | [_, _]) => self.compile_time(node),
            _ => Ok(()),
        }
    }

    /// Parses a literal time once, and gives `timestamp(timestamp)` the unit of that variable.
    fn compile_time(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        let Expr::Call(call) = &mut node.expr else {
            return Ok(());
        };
        let constant: Box<dyn Val> = match (call.func_name.as_str(), call.args.as_slice()) {
            (times::TIMESTAMP, [argument]) if self.is_variable(argument, "timestamp") => {
                call.args.push(literal("ms"));
                return Ok(());
            }
            (times::TIMESTAMP, [argument]) => match text_of(argument) {
                Some(text) => Box::new(TimestampVal::parse(text)?),
                None => return Ok(()),
            },
            (times::DURATION, [argument]) => match text_of(argument) {
                Some(text) => Box::new(DurationVal::parse(text)?),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        node.expr = Expr::Ident(format!("{CONSTANT_PREFIX}{}", self.constants.len()));
        self.constants.push(constant);
        Ok(())
    }

    /// Whether this is the record's variable of that name, and not a macro's.
    fn is_variable(&self, node: &IdedExpr, name: &str) -> bool {
        matches!(&node.expr, Expr::Ident(found) if found == name)
            && !self.scopes.iter().any(|scope| scope == name)
    }

    /// `matches` with a literal pattern becomes `@matches(text, @patternN)`.
    fn compile_pattern(&mut self, call: &mut CallExpr) -> Result<(), String> {
        let Some(last) = call.args.last_mut() else {
            return Ok(());
        };
        let Expr::Literal(LiteralValue::String(text)) = &last.expr else {
            return Ok(());
        };
        let name = format!("{CONSTANT_PREFIX}{}", self.constants.len());
        let pattern = Pattern::parse(text.inner())?;
        self.constants.push(Box::new(PatternVal(pattern)));
        last.expr = Expr::Ident(name);
        call.func_name = MATCHES.into();
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
        Ok(())
    }

    fn comprehension(&mut self, node: &mut IdedExpr) -> Result<(), String> {
        let Expr::Comprehension(comprehension) = &mut node.expr else {
            return Ok(());
        };
        self.visit(&mut comprehension.iter_range)?;
        self.macro_depth += 1;
        if self.macro_depth > DEEPEST_MACRO {
            return Err(format!(
                "macros (all exists exists_one map filter) are nested more than {DEEPEST_MACRO} deep, which multiplies the work for each record"
            ));
        }
        let outer = self.scopes.len();
        self.scopes.push(comprehension.iter_var.clone());
        self.scopes.extend(comprehension.iter_var2.clone());
        self.scopes.push(comprehension.accu_var.clone());
        for part in [
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ] {
            self.visit(part)?;
        }
        self.scopes.truncate(outer);
        self.macro_depth -= 1;
        Ok(())
    }
}

/// The text of a literal.
fn text_of(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn literal(text: &'static str) -> IdedExpr {
    IdedExpr {
        id: 0,
        expr: Expr::Literal(LiteralValue::String(CelString::from(text))),
    }
}

fn is_scalar(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

fn is_list_of_scalars(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::List(list) if list.elements.iter().all(is_scalar))
}

fn make_plain(node: &mut IdedExpr) {
    let inner = std::mem::take(node);
    *node = IdedExpr {
        id: inner.id,
        expr: Expr::Call(CallExpr {
            func_name: PLAIN.into(),
            target: None,
            args: vec![inner],
        }),
    };
}
