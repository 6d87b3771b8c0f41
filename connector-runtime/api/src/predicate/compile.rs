//! From text to an expression that is known to make sense: everything is found here that does not depend on a record.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::parser::{ParseErrors, Parser};

use super::functions::PatternVal;
use crate::units::Pattern;

/// What a [`super::Predicate`] runs.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) expression: IdedExpr,
    pub(super) patterns: Vec<PatternVal>,
    pub(super) uses_key: bool,
}

/// Written around an operand of `==`, `!=` or `in` that may be a place in the record (see `functions::plain`).
pub(super) const PLAIN: &str = "@plain";
/// `text.matches('…')` with the pattern compiled once, as a variable: CEL's own compiles it for every record.
pub(super) const MATCHES: &str = "@matches";
/// The variables of compiled patterns: `@pattern0`, `@pattern1`, …
const PATTERN_PREFIX: &str = "@pattern";

const VARIABLES: [&str; 7] = [
    "value",
    "key",
    "headers",
    "topic",
    "partition",
    "offset",
    "timestamp",
];
const FUNCTIONS: [&str; 12] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "type",
    "bool",
    "bytes",
    "double",
    "int",
    "string",
    "uint",
];
const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];
const OPERATORS: [&str; 16] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::INDEX,
];
/// CEL's parser calls itself, with large frames; these keep it from the end of its stack.
const COMPILER_STACK_BYTES: usize = 32 << 20;
const LONGEST_TEXT: usize = 4_000;
const DEEPEST_BRACKETS: usize = 32;
/// Evaluation calls itself, too.
const DEEPEST_EXPRESSION: usize = 64;
const TOO_DEEP: &str = "it is nested too deeply";
/// A macro visits every element; one inside another multiplies.
const DEEPEST_MACRO: usize = 2;

/// Compiles on a thread of its own, whose stack is large enough for what the limits above let through.
pub(super) fn compile(text: &str) -> Result<Compiled, String> {
    if text.trim().is_empty() {
        return Err("it is empty; `value.total > 100` is one".into());
    }
    if text.len() > LONGEST_TEXT || bracket_depth(text) > DEEPEST_BRACKETS {
        return Err(format!(
            "it is longer than {LONGEST_TEXT} bytes or has more than {DEEPEST_BRACKETS} brackets inside each other"
        ));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("cel-compiler".into())
            .stack_size(COMPILER_STACK_BYTES)
            .spawn_scoped(scope, || compile_here(text))
            .map_err(|error| format!("there is no thread to compile it on: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("CEL's parser does not take it".into()))
    })
}

fn compile_here(text: &str) -> Result<Compiled, String> {
    let mut expression = Parser::new()
        .parse(text)
        .map_err(|errors| syntax_error(text, &errors))?;
    let mut compiler = Compiler::default();
    compiler.visit(&mut expression)?;
    if !may_be_boolean(&expression.expr) {
        return Err("its result is neither true nor false; compare it, as in `… > 0`".into());
    }
    Ok(Compiled {
        expression,
        patterns: compiler.patterns,
        uses_key: compiler.uses_key,
    })
}

/// Brackets that are open at once, those inside quotes included.
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

/// The compiled pattern that goes by this variable name.
pub(super) fn pattern<'a>(patterns: &'a [PatternVal], variable: &str) -> Option<&'a PatternVal> {
    let place: usize = variable.strip_prefix(PATTERN_PREFIX)?.parse().ok()?;
    patterns.get(place)
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
    /// Variables of the macros around the place being visited.
    scopes: Vec<String>,
    macro_depth: usize,
    depth: usize,
    patterns: Vec<PatternVal>,
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
                "`{}` cannot be made here: a condition has objects, arrays and plain values",
                made.type_name
            )),
            Expr::Call(call) => self.call(call),
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

    fn call(&mut self, call: &mut CallExpr) -> Result<(), String> {
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
            _ => Ok(()),
        }
    }

    /// `matches` with a literal pattern becomes `@matches(text, @patternN)`.
    fn compile_pattern(&mut self, call: &mut CallExpr) -> Result<(), String> {
        let Some(last) = call.args.last_mut() else {
            return Ok(());
        };
        let Expr::Literal(LiteralValue::String(text)) = &last.expr else {
            return Ok(());
        };
        let pattern = Pattern::parse(text.inner())?;
        last.expr = Expr::Ident(format!("{PATTERN_PREFIX}{}", self.patterns.len()));
        self.patterns.push(PatternVal(pattern));
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

/// `false` where the result is surely something else, whatever the record is.
fn may_be_boolean(expression: &Expr) -> bool {
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
            name => !["size", "type", "bytes", "double", "int", "string", "uint"].contains(&name),
        },
        _ => true,
    }
}
