//! `replace_field`: keeps, drops and renames fields.

use std::collections::BTreeMap;

use connect_api::{
    Cause, Explanation, Field, Fields, Finding, PathStep, Record, Rename, Step, Transform,
    TransformPlugin, Value, pointer,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// The plugin `replace_field`.
pub struct ReplaceField;

/// Keeps, drops and renames fields, in this order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Only these fields are kept; empty keeps all.
    #[serde(default)]
    include: Vec<Field>,
    /// These fields are dropped. A path with `[*]` applies to every element of an array: `$.lines[*].note`. A record
    /// with another type on the way of a path is rejected.
    #[serde(default)]
    exclude: Vec<Fields>,
    /// New names by field, applied all at once: `{ ts = "timestamp", "$.store.nr" = "id" }`, and `{ a = "b", b = "a"
    /// }` swaps two. A field keeps its position; a missing field is skipped. A record in which another field has the
    /// new name and keeps it is rejected.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A built `replace_field`.
pub struct Replace {
    include: Vec<Field>,
    exclude: Vec<Fields>,
    rename: Vec<Rename>,
    on: Part,
}

impl TransformPlugin for ReplaceField {
    const NAME: &'static str = "replace_field";
    const ABOUT: &'static str = "keeps, drops and renames fields";
    const EXAMPLE: &'static str = r#"[[transforms]]
type    = "replace_field"
exclude = ["internal_note"]
rename  = { ts = "timestamp" }
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::CONTENT, part::FIELD, RENAME];
    type Config = Config;
    type Transform = Replace;

    fn build(config: &Config) -> Result<Replace, Finding> {
        let rename = renames(&config.rename)?;
        if config.include.is_empty() && config.exclude.is_empty() && rename.is_empty() {
            return Err(Finding::error(
                "transform.content",
                "",
                "replace_field takes `include`, `exclude` or `rename`",
            ));
        }
        for (index, field) in config.include.iter().enumerate() {
            if field.path().steps().is_empty() {
                return Err(whole_part(format!("/include/{index}")));
            }
        }
        for (index, field) in config.exclude.iter().enumerate() {
            if field.is_whole() {
                return Err(whole_part(format!("/exclude/{index}")));
            }
        }
        Ok(Replace {
            include: config.include.clone(),
            exclude: config.exclude.clone(),
            rename,
            on: config.on,
        })
    }
}

const RENAME: Explanation = Explanation {
    code: "transform.rename",
    why: "Renames apply all at once, so two fields of one object cannot get the same name; an element of an array has an index and no name.",
    example: "rename = { first = \"name\", last = \"name\" }",
    fix: "rename = { first = \"first_name\", last = \"last_name\" }",
};

/// The renames as written, without those that can never work.
fn renames(config: &BTreeMap<String, String>) -> Result<Vec<Rename>, Finding> {
    let mut renames: Vec<Rename> = Vec::new();
    for (key, name) in config {
        let at = pointer::member("/rename", key);
        let refused = |message: String| Finding::error(RENAME.code, at.clone(), message);
        let field = part::parse_key("/rename", key)?;
        let (parent, last) = match field.path().steps().split_last() {
            None => return Err(whole_part(at)),
            Some((PathStep::Index(_), _)) => {
                return Err(refused(format!(
                    "{field} is an element of an array, which has no name"
                )));
            }
            Some((last, parent)) => (parent, last),
        };
        for other in &renames {
            let Some((other_last, other_parent)) = other.path.steps().split_last() else {
                continue;
            };
            if other_parent != parent {
                continue;
            }
            if other_last == last {
                return Err(refused(format!("{field} is written twice")));
            }
            if other.name == *name {
                return Err(
                    refused(format!("{} and {field} both become `{name}`", other.path))
                        .with_help("if no record has both, use one transform for each"),
                );
            }
        }
        renames.push(Rename {
            path: field.path().clone(),
            name: name.clone(),
        });
    }
    Ok(renames)
}

fn whole_part(pointer: String) -> Finding {
    Finding::error(
        "transform.field",
        pointer,
        "`$` is the whole value, not a field of it",
    )
}

impl Transform for Replace {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            if part.root().members().is_none() {
                return Err(Cause::new(format!(
                    "{} found where an object with fields was expected",
                    part.root().type_name()
                )));
            }
            self.keep_included(part)?;
            for field in &self.exclude {
                part.remove_each(field)
                    .map_err(|error| Cause::new(error.message))?;
            }
            part.rename(&self.rename)
                .map_err(|error| Cause::new(error.message))
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

impl Replace {
    /// Removes every top-level member that is not included as a whole, and inserts the deeper included fields again.
    fn keep_included(&self, part: &mut Value) -> Result<(), Cause> {
        if self.include.is_empty() {
            return Ok(());
        }
        let mut deeper = Vec::new();
        for field in &self.include {
            if let (None, Some(node)) = (field.member_name(), field.get(part)) {
                deeper.push((field, node.to_value()));
            }
        }
        let dropped: Vec<_> = part
            .root()
            .members()
            .into_iter()
            .flatten()
            .filter(|(name, _)| {
                let mut kept = self.include.iter().filter_map(Field::member_name);
                !kept.any(|kept| kept == *name)
            })
            .map(|(name, _)| connect_api::FieldPath::of_member(name))
            .collect();
        for member in dropped {
            part.remove(&member);
        }
        deeper
            .into_iter()
            .try_for_each(|(field, content)| part::insert(part, field, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    #[test]
    fn fields_are_kept_dropped_and_renamed() {
        for (config, start, expected) in [
            (
                "include = ['c', 'a']",
                r#"{"a":1,"b":2,"c":{"d":3}}"#,
                r#"{"a":1,"c":{"d":3}}"#,
            ),
            (
                "include = ['a', 'missing']",
                r#"{"a":1,"b":2}"#,
                r#"{"a":1}"#,
            ),
            (
                "include = ['$.s.id', 'a']",
                r#"{"s":{"id":1,"x":2},"a":3,"b":4}"#,
                r#"{"a":3,"s":{"id":1}}"#,
            ),
            (
                "include = ['$.s.id', 's']",
                r#"{"s":{"id":1,"x":2},"b":4}"#,
                r#"{"s":{"id":1,"x":2}}"#,
            ),
            (
                "include = ['$.s.id', '$.s.x']",
                r#"{"s":{"id":1,"x":"\n","y":0}}"#,
                r#"{"s":{"id":1,"x":"\n"}}"#,
            ),
            ("include = ['none']", r#"{"a":1}"#, "{}"),
            (
                "include = ['$.a[0].b']",
                r#"{"a":[{"b":1}]}"#,
                "!there is no such array element",
            ),
            (
                "exclude = ['a', '$.s.id', '$.l[0]']",
                r#"{"a":1,"s":{"id":1,"x":2},"l":[1,2]}"#,
                r#"{"s":{"x":2},"l":[2]}"#,
            ),
            (
                "exclude = ['missing', '$.a.b', '$.l[9]']",
                r#"{"a":{},"l":[]}"#,
                r#"{"a":{},"l":[]}"#,
            ),
            (
                "exclude = ['$.a.b']",
                r#"{"a":1}"#,
                "!number found at $.a where $.a.b expects an object",
            ),
            (
                "exclude = ['$.lines[*].note', '$.tags[*]', '$.orders[*].lines[*][0]']",
                r#"{"lines":[{"note":{"x":1},"n":1},{"n":2},{"m":3,"note":""}],"tags":[1,[2]],"orders":[{"lines":[[1,2],[]]},{"lines":[]}],"z":0}"#,
                r#"{"lines":[{"n":1},{"n":2},{"m":3}],"tags":[],"orders":[{"lines":[[2],[]]},{"lines":[]}],"z":0}"#,
            ),
            (
                "exclude = ['$.lines[*].note']",
                r#"{"lines":{"note":1}}"#,
                "!object found at $.lines where",
            ),
            (
                "rename = { a = 'z', '$.s.id' = 'nr' }",
                r#"{"a":1,"s":{"id":1},"b":2}"#,
                r#"{"z":1,"s":{"nr":1},"b":2}"#,
            ),
            ("rename = { missing = 'z' }", r#"{"a":1}"#, r#"{"a":1}"#),
            (
                "rename = { a = 'b' }",
                r#"{"a":1,"b":2}"#,
                "!$.a cannot be renamed to `b`: there is such a field already",
            ),
            // All at once: a name that another field gives up is free.
            ("rename = { a = 'b', b = 'c' }", r#"{"a":1}"#, r#"{"b":1}"#),
            (
                "rename = { a = 'b', b = 'c' }",
                r#"{"a":1,"b":2}"#,
                r#"{"b":1,"c":2}"#,
            ),
            ("rename = { a = 'b', b = 'c' }", r#"{"b":2}"#, r#"{"c":2}"#),
            (
                "rename = { a = 'b', b = 'c' }",
                r#"{"b":2,"c":3}"#,
                "!$.b cannot be renamed to `c`: there is such a field already",
            ),
            (
                "rename = { b = 'a', c = 'b' }",
                r#"{"b":1,"c":2}"#,
                r#"{"a":1,"b":2}"#,
            ),
            (
                "rename = { a = 'b', b = 'a' }",
                r#"{"a":1,"x":0,"b":2}"#,
                r#"{"b":1,"x":0,"a":2}"#,
            ),
            ("rename = { a = 'b', b = 'a' }", r#"{"a":1}"#, r#"{"b":1}"#),
            (
                "rename = { a = 'b', b = 'c', c = 'a' }",
                r#"{"a":1,"b":2,"c":3}"#,
                r#"{"b":1,"c":2,"a":3}"#,
            ),
            ("rename = { a = 'a' }", r#"{"a":1}"#, r#"{"a":1}"#),
            // Paths use the names before the transform.
            (
                "rename = { s = 't', '$.s.id' = 'nr' }",
                r#"{"s":{"id":1}}"#,
                r#"{"t":{"nr":1}}"#,
            ),
            (
                "rename = { s = 't', t = 's', '$.s.a' = 'b' }",
                r#"{"s":{"a":1},"t":{"a":2}}"#,
                r#"{"t":{"b":1},"s":{"a":2}}"#,
            ),
            (
                "rename = { '$.s.a' = 'b', '$.s.b' = 'a', '$.t.a' = 'b' }",
                r#"{"s":{"a":1,"b":2},"t":{"a":3}}"#,
                r#"{"s":{"b":1,"a":2},"t":{"b":3}}"#,
            ),
            (
                "rename = { '$.l[0].a' = 'b', '$.l[0].b' = 'a' }",
                r#"{"l":[{"a":1,"b":2}]}"#,
                r#"{"l":[{"b":1,"a":2}]}"#,
            ),
            // The field may depend on the record.
            (
                "rename = { '$.l[0].a' = 'b', '$.l[-1].a' = 'c' }",
                r#"{"l":[{"a":1},{"a":2}]}"#,
                r#"{"l":[{"b":1},{"c":2}]}"#,
            ),
            (
                "rename = { '$.l[0].a' = 'b', '$.l[-1].a' = 'c' }",
                r#"{"l":[{"a":1}]}"#,
                "! is the same field",
            ),
            (
                "rename = { '$.l[0].a' = 'c', '$.l[-1].b' = 'c' }",
                r#"{"l":[{"a":1,"b":2}]}"#,
                "! gets this name too",
            ),
            (
                "rename = { a = 'b', b = 'a' }\non = 'key'",
                r#"{"a":1,"b":2} => {"a":1,"b":2}"#,
                r#"{"b":1,"a":2} => {"a":1,"b":2}"#,
            ),
            ("rename = { a = 'b' }", "-", "-"),
            (
                "exclude = ['b']\nrename = { a = 'b' }",
                r#"{"a":1,"b":2}"#,
                r#"{"b":1}"#,
            ),
            (
                "include = ['a']\nexclude = ['$.a.x']\nrename = { a = 'b' }",
                r#"{"a":{"x":1,"y":2},"b":2}"#,
                r#"{"b":{"y":2}}"#,
            ),
            (
                "exclude = ['a']\non = 'key'",
                r#"{"a":1,"b":2} => {"a":1}"#,
                r#"{"b":2} => {"a":1}"#,
            ),
            ("exclude = ['a']", "-", "-"),
            ("exclude = ['a']\non = 'key'", r#"{"a":1}"#, r#"{"a":1}"#),
            (
                "exclude = ['a']",
                "[1]",
                "!array found where an object with fields was expected",
            ),
        ] {
            check::<ReplaceField>(config, start, expected);
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        check_refused::<ReplaceField>("", "", "takes `include`");
        check_refused::<ReplaceField>("include = ['a', '$']", "/include/1", "whole value");
        check_refused::<ReplaceField>("exclude = ['$']", "/exclude/0", "whole value");
        check_refused::<ReplaceField>(
            "rename = { 'a/b.c' = 'x' }",
            "/rename/a~1b.c",
            "starts with `$`",
        );
        for (config, pointer, message) in [
            ("rename = { '$' = 'x' }", "/rename/$", "whole value"),
            (
                "rename = { '$.l[0]' = 'x' }",
                "/rename/$.l[0]",
                "element of an array",
            ),
            (
                "rename = { a = 'x', '$.a' = 'y' }",
                "/rename/a",
                "$.a is written twice",
            ),
            (
                "rename = { a = 'c', b = 'c' }",
                "/rename/b",
                "$.a and $.b both become `c`",
            ),
            (
                "rename = { '$.s.a' = 'c', '$.s.b' = 'c' }",
                "/rename/$.s.b",
                "both become `c`",
            ),
        ] {
            check_refused::<ReplaceField>(config, pointer, message);
        }
        // The same name in two objects is no conflict.
        check::<ReplaceField>(
            "rename = { '$.s.a' = 'c', '$.t.a' = 'c' }",
            r#"{"s":{"a":1},"t":{"a":2}}"#,
            r#"{"s":{"c":1},"t":{"c":2}}"#,
        );
    }
}
