//! `flatten`: members of nested objects become members at the top.

use connect_api::{
    BuildError, Cause, Finding, Kind, Record, Step, Transform, TransformPlugin, ValueBuilder,
    ValueLimits, ValueRef,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::part::Part;

/// The plugin `flatten`.
pub struct Flatten;

/// Makes members of nested objects members at the top, under their joined names: `{"store":{"id":1}}` becomes
/// `{"store.id":1}`. Arrays and empty objects stay as they are. A record in which two members would get one name is
/// rejected, and a value that is not an object stays unchanged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text between two joined names.
    #[serde(default = "dot")]
    delimiter: String,
    /// Whether the value or the key is flattened.
    #[serde(default)]
    on: Part,
}

fn dot() -> String {
    ".".to_owned()
}

/// A built `flatten`.
pub struct FlattenObject {
    delimiter: String,
    on: Part,
}

impl TransformPlugin for Flatten {
    const NAME: &'static str = "flatten";
    const ABOUT: &'static str = "makes members of nested objects members at the top";
    const EXAMPLE: &'static str = r#"[[transforms]]
type      = "flatten"
delimiter = "_"
"#;
    type Config = Config;
    type Transform = FlattenObject;

    fn build(config: &Config) -> Result<FlattenObject, Finding> {
        Ok(FlattenObject {
            delimiter: config.delimiter.clone(),
            on: config.on,
        })
    }
}

impl Transform for FlattenObject {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| {
            if part.root().members().is_none() {
                return Ok(());
            }
            let mut builder = ValueBuilder::sharing(part, ValueLimits::default());
            builder.begin_object().map_err(too_large)?;
            self.flatten(&mut String::new(), part.root(), &mut builder)?;
            // Names that occur twice are found here.
            builder.end().map_err(|error| {
                Cause::new(format!("flattening gives two members one name: {error}")).with_help(
                    "choose another `delimiter`, or rename a member by `replace_field` before",
                )
            })?;
            *part = builder.finish();
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

fn too_large(error: BuildError) -> Cause {
    Cause::new(format!("the flattened value is too large: {error}"))
}

impl FlattenObject {
    /// Writes the members of `object` under names that start with `prefix`. The depth of a value is limited, so the
    /// recursion is.
    fn flatten(
        &self,
        prefix: &mut String,
        object: ValueRef<'_>,
        builder: &mut ValueBuilder,
    ) -> Result<(), Cause> {
        let length = prefix.len();
        for (name, member) in object.members().into_iter().flatten() {
            prefix.push_str(name);
            match member.kind() {
                Kind::Object(members) if members.clone().next().is_some() => {
                    prefix.push_str(&self.delimiter);
                    self.flatten(prefix, member, builder)?;
                }
                _ => {
                    builder.key(prefix).map_err(too_large)?;
                    builder.copy(member).map_err(too_large)?;
                }
            }
            prefix.truncate(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::check;

    #[test]
    fn nested_members_come_to_the_top() {
        for (config, start, expected) in [
            (
                "",
                r#"{"a":1.50,"s":{"id":7,"x":{"y":null,"z":"\n"}},"b":true}"#,
                r#"{"a":1.50,"s.id":7,"s.x.y":null,"s.x.z":"\n","b":true}"#,
            ),
            (
                "delimiter = '_'",
                r#"{"s":{"id":[{"a":{"b":1}}],"e":{}}}"#,
                r#"{"s_id":[{"a":{"b":1}}],"s_e":{}}"#,
            ),
            ("delimiter = ''", r#"{"a":{"b":1}}"#, r#"{"ab":1}"#),
            (
                "on = 'key'",
                r#"{"a":{"b":1}} => {"c":{"d":2}}"#,
                r#"{"a.b":1} => {"c":{"d":2}}"#,
            ),
            ("", "{}", "{}"),
            ("", r#"{"":{"":1}}"#, r#"{".":1}"#),
            ("", r#"[{"a":{"b":1}}]"#, r#"[{"a":{"b":1}}]"#),
            ("", "7", "7"),
            ("", "-", "-"),
            (
                "",
                r#"{"a":{"b":1},"a.b":2}"#,
                "!flattening gives two members one name",
            ),
            (
                "delimiter = ''",
                r#"{"a":{"bc":1},"ab":{"c":2}}"#,
                "!flattening gives two members one name",
            ),
        ] {
            check::<Flatten>(config, start, expected);
        }
    }
}
