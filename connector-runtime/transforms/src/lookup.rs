//! `lookup`: puts columns of a static table into fields.

mod table;

use std::collections::BTreeMap;

use connect_api::{
    Cause, Explanation, Field, FilePath, Finding, Found, Kind, Record, Reference, Step, Transform,
    TransformPlugin, Value, pointer, time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::part::{self, Part};
use table::LookupTable;

/// The plugin `lookup`.
pub struct StaticLookup;

/// Puts columns of a static table into fields: the row is the one whose key equals a field or metadata of the record.
/// The table is read when the connector starts: a CSV file with a header line, whose cells are text, or a JSON file with
/// an array of objects.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The table: a file that ends with `.csv` or `.json`, at most 64 MiB.
    file: FilePath,
    /// The column that holds the key of each row; no two rows have the same.
    key: String,
    /// What is looked up: a path into the value, or metadata such as `#key`. Text and numbers are compared by their
    /// characters: 7 finds the row `7`, and 7.0 does not.
    from: Reference,
    /// Columns by the field that receives them: `{ store_name = "name", "$.store.city" = "city" }`.
    #[schemars(extend("minProperties" = 1))]
    fields: BTreeMap<String, String>,
    /// What happens to a record without a row.
    #[serde(default)]
    missing: Missing,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// What happens to a record that finds no row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Missing {
    /// The record is rejected.
    #[default]
    Reject,
    /// The fields become null.
    Null,
    /// The record stays unchanged.
    Keep,
}

const TABLE: Explanation = Explanation {
    code: "transform.table",
    why: "The table of a `lookup` is read when the connector starts. It must be there, have the columns that are named, and one row for each key: of two rows one would win in silence.",
    example: "file = \"stores.csv\"\nkey = \"id\"     # where the header line is `store_id,name`",
    fix: "file = \"stores.csv\"\nkey = \"store_id\"",
};

/// A built `lookup`.
pub struct TableLookup {
    table: LookupTable,
    from: Reference,
    /// Each with the index of its column among those that the table keeps.
    fields: Vec<(Field, usize)>,
    missing: Missing,
    on: Part,
}

impl TransformPlugin for StaticLookup {
    const NAME: &'static str = "lookup";
    const ABOUT: &'static str = "puts columns of a static table (CSV or JSON) into fields";
    const EXAMPLE: &'static str = r#"[[transforms]]
type   = "lookup"
file   = "stores.csv"
key    = "store_id"
from   = "$.store.id"
fields = { "$.store.city" = "city" }
"#;
    const EXPLANATIONS: &'static [Explanation] = &[part::FIELD, part::REFERENCE, TABLE];
    type Config = Config;
    type Transform = TableLookup;

    fn build(config: &Config) -> Result<TableLookup, Finding> {
        let from = part::of_record(&config.from)?;
        let mut fields = Vec::new();
        let mut columns: Vec<(&str, String)> = Vec::new();
        for (index, (name, column)) in config.fields.iter().enumerate() {
            fields.push((part::parse_key("/fields", name)?, index));
            columns.push((column, pointer::member("/fields", name)));
        }
        let table = LookupTable::read(config.file.as_path(), &config.key, &columns)?;
        Ok(TableLookup {
            table,
            from,
            fields,
            missing: config.missing,
            on: config.on,
        })
    }
}

impl Transform for TableLookup {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let row = {
            let resolved = self
                .from
                .resolve(&record, None, time::now_ms())
                .map_err(Cause::new)?;
            let sought = resolved.to_value();
            let row = sought
                .as_ref()
                .and_then(|sought| table::key_of(sought.root()))
                .and_then(|key| self.table.row(&key));
            match (row, self.missing) {
                (Some(row), _) => Some(row),
                (None, Missing::Null) => None,
                (None, Missing::Keep) => return Ok(Step::Keep(record)),
                (None, Missing::Reject) => return Err(self.no_row(sought.as_ref())),
            }
        };
        self.on.edit(record, |part| {
            for (field, column) in &self.fields {
                let cell = row.and_then(|row| row.get(*column)).cloned();
                part::insert(part, field, cell.unwrap_or_else(Value::null))?;
            }
            Ok(())
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key() || self.from.reads_key()
    }
}

impl TableLookup {
    fn no_row(&self, sought: Option<&Value>) -> Cause {
        let found = sought.map_or_else(Found::nothing, |value| Found::from(value.root()));
        let reason = match sought.map(|value| value.root().kind()) {
            Some(Kind::String(_) | Kind::Number(_)) => "no row of the table has this key",
            _ => "a key is text or a number",
        };
        Cause::new(format!("{} is {}: {reason}", self.from, found.description))
            .about(found)
            .with_help("add the row, or set `missing` to \"null\" or \"keep\"")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{check, check_refused};

    /// A configuration over a file with this content. The folder lives as long as the result.
    fn config_of(name: &str, content: &str, rest: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let config = format!("file = '{}'\n{rest}", file.display());
        (folder, config)
    }

    const CSV: &str = "\u{feff}id,name,city\r\n7,\"Main, \"\"A\"\"\",Ulm\r\nx,,Köln\n";
    const JSON: &str = r#"[{"id":7,"name":{"de":"Haupt"},"n":1.50},{"id":"x","n":null}]"#;

    #[test]
    fn columns_of_the_row_are_put_in() {
        let keys = "key = 'id'\nfrom = '$.s'";
        let null = format!("{keys}\nmissing = 'null'\nfields = {{ c = 'city' }}");
        let keep = format!("{keys}\nmissing = 'keep'\nfields = {{ c = 'city' }}");
        let both = format!("{keys}\nfields = {{ n = 'name', '$.o.c' = 'city' }}");
        let of_key = "key = 'id'\nfrom = '#key'\nfields = { c = 'city' }";
        let json = format!("{keys}\nfields = {{ a = 'name', b = 'n' }}\nmissing = 'null'");
        for (file, content, config, start, expected) in [
            (
                "t.csv",
                CSV,
                &*both,
                r#"{"s":7}"#,
                r#"{"s":7,"o":{"c":"Ulm"},"n":"Main, \"A\""}"#,
            ),
            (
                "t.csv",
                CSV,
                &both,
                r#"{"s":"7"}"#,
                r#"{"s":"7","o":{"c":"Ulm"},"n":"Main, \"A\""}"#,
            ),
            (
                "t.csv",
                CSV,
                &both,
                r#"{"s":"x"}"#,
                r#"{"s":"x","o":{"c":"Köln"},"n":""}"#,
            ),
            (
                "t.csv",
                CSV,
                &both,
                r#"{"s":8}"#,
                "!$.s is an integer of 1 digit: no row of the table has this key",
            ),
            ("t.csv", CSV, &both, r#"{"s":7.0}"#, "!no row of the table"),
            (
                "t.csv",
                CSV,
                &both,
                "{}",
                "!$.s is nothing: a key is text or a number",
            ),
            (
                "t.csv",
                CSV,
                &both,
                r#"{"s":true}"#,
                "!a key is text or a number",
            ),
            ("t.csv", CSV, &null, r#"{"s":8}"#, r#"{"s":8,"c":null}"#),
            ("t.csv", CSV, &keep, r#"{"s":8}"#, r#"{"s":8}"#),
            (
                "t.csv",
                CSV,
                of_key,
                r#""x" => {}"#,
                r#""x" => {"c":"Köln"}"#,
            ),
            ("t.csv", CSV, of_key, r#""x" => -"#, r#""x" => -"#),
            (
                "t.json",
                JSON,
                &json,
                r#"{"s":7}"#,
                r#"{"s":7,"a":{"de":"Haupt"},"b":1.50}"#,
            ),
            (
                "t.json",
                JSON,
                &json,
                r#"{"s":"x"}"#,
                r#"{"s":"x","a":null,"b":null}"#,
            ),
        ] {
            let (_folder, config) = config_of(file, content, config);
            check::<StaticLookup>(&config, start, expected);
        }
    }

    #[test]
    fn a_table_that_could_answer_wrongly_is_refused() {
        let keys = "key = 'id'\nfrom = '$.s'\nfields = { c = 'city' }";
        for (file, content, config, pointer, message) in [
            (
                "t.csv",
                "id,city\n7,Ulm\n8,Köln\n7,Bonn\n",
                keys,
                "/file",
                "lines 2 and 4 have the same key",
            ),
            ("t.csv", "id,city\n7\n", keys, "/file", "line: 2"),
            (
                "t.csv",
                "id,id,city\n",
                keys,
                "/file",
                "two columns are called `id`",
            ),
            (
                "t.csv",
                "nr,city\n",
                keys,
                "/key",
                "no column `id`; its columns are `nr`, `city`",
            ),
            ("t.csv", "id,town\n", keys, "/fields/c", "no column `city`"),
            ("t.csv", "", keys, "/key", "no column `id`"),
            (
                "t.txt",
                "id,city\n",
                keys,
                "/file",
                "ends with .csv or .json",
            ),
            (
                "t.json",
                r#"{"id":1}"#,
                keys,
                "/file",
                "an array of objects",
            ),
            ("t.json", "[1]", keys, "/file", "element 0 is no object"),
            (
                "t.json",
                r#"[{"city":"Ulm"}]"#,
                keys,
                "/file",
                "element 0 has no text or number in `id`",
            ),
            (
                "t.json",
                r#"[{"id":7,"city":"a"},{"id":"7","city":"b"}]"#,
                keys,
                "/file",
                "elements 0 and 1 have the same key",
            ),
            (
                "t.json",
                r#"[{"id":7,"city":"a","city":"b"}]"#,
                keys,
                "/file",
                "city",
            ),
            (
                "t.json",
                r#"[{"id":7}]"#,
                keys,
                "/fields/c",
                "no element has a member `city`",
            ),
            (
                "t.csv",
                "id,city\n7,\"Ulm\n8,Bonn\n",
                keys,
                "/file",
                "never closed",
            ),
        ] {
            let (_folder, config) = config_of(file, content, config);
            check_refused::<StaticLookup>(&config, pointer, message);
        }
        check_refused::<StaticLookup>(
            "file = '/nowhere/t.csv'\nkey = 'id'\nfrom = '$.s'\nfields = { c = 'city' }",
            "/file",
            "cannot be read",
        );
    }
}
