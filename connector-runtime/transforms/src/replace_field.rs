//! `replace_field`: keeps, drops and renames fields.

use std::collections::BTreeMap;

use connect_api::{
    Cause, Explanation, Field, Finding, Record, Step, Transform, TransformPlugin, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::{self, Part};

/// See the module.
pub struct ReplaceField;

/// Keeps, drops and renames fields, in this order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Only these fields are kept; empty keeps all.
    #[serde(default)]
    include: Vec<Field>,
    /// These fields are dropped.
    #[serde(default)]
    exclude: Vec<Field>,
    /// New names by field: `{ ts = "timestamp", "$.store.nr" = "id" }`. A field keeps its place; one that is missing
    /// is passed over.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A built `replace_field`.
pub struct Replace {
    include: Vec<Field>,
    exclude: Vec<Field>,
    rename: Vec<(Field, String)>,
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
    const EXPLANATIONS: &'static [Explanation] = &[part::CONTENT, part::FIELD];
    type Config = Config;
    type Transform = Replace;

    fn build(config: &Config) -> Result<Replace, Finding> {
        let mut rename = Vec::new();
        for (field, name) in &config.rename {
            rename.push((part::parse_key("/rename", field)?, name.clone()));
        }
        if config.include.is_empty() && config.exclude.is_empty() && rename.is_empty() {
            return Err(Finding::error(
                "transform.content",
                "",
                "replace_field takes `include`, `exclude` or `rename`",
            ));
        }
        for (place, field) in config.include.iter().enumerate() {
            if field.path().steps().is_empty() {
                return Err(whole_part(format!("/include/{place}")));
            }
        }
        for (place, field) in config.exclude.iter().enumerate() {
            if field.path().steps().is_empty() {
                return Err(whole_part(format!("/exclude/{place}")));
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

fn whole_part(pointer: String) -> Finding {
    Finding::error(
        "transform.field",
        pointer,
        "`$` is everything and no field of it",
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
                part.remove(field.path());
            }
            for (field, name) in &self.rename {
                if field.get(part).is_some() && !part.rename(field.path(), name) {
                    return Err(Cause::new(format!(
                        "{field} cannot be renamed to `{name}`: there is such a field already, or {field} is no field of an object"
                    )));
                }
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

impl Replace {
    /// Takes away every member at the top that is not included as a whole, and puts the deeper included fields back.
    fn keep_included(&self, part: &mut Value) -> Result<(), Cause> {
        if self.include.is_empty() {
            return Ok(());
        }
        let mut deeper = Vec::new();
        for field in &self.include {
            if let (None, Some(place)) = (field.member_name(), field.get(part)) {
                deeper.push((field, place.to_value()));
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
    use crate::part::testing::{check, check_refused};

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
            ("exclude = ['missing', '$.a.b']", r#"{"a":1}"#, r#"{"a":1}"#),
            (
                "rename = { a = 'z', '$.s.id' = 'nr' }",
                r#"{"a":1,"s":{"id":1},"b":2}"#,
                r#"{"z":1,"s":{"nr":1},"b":2}"#,
            ),
            ("rename = { missing = 'z' }", r#"{"a":1}"#, r#"{"a":1}"#),
            (
                "rename = { a = 'b' }",
                r#"{"a":1,"b":2}"#,
                "!$.a cannot be renamed to `b`",
            ),
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
        check_refused::<ReplaceField>("include = ['a', '$']", "/include/1", "everything");
        check_refused::<ReplaceField>("exclude = ['$']", "/exclude/0", "everything");
        check_refused::<ReplaceField>(
            "rename = { 'a/b.c' = 'x' }",
            "/rename/a~1b.c",
            "starts with `$`",
        );
    }
}
