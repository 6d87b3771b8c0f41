//! Checks a column's options against each other and against the contract.

use connect_api::{Contract, Finding};

use super::contract::steps;
use super::source_pointer;
use crate::config::{ColumnSource, TableConfig};

/// Finds options that contradict each other, and those that the contract leaves without effect.
pub(super) fn check(
    table: &TableConfig,
    pointer: &str,
    contract: Option<&dyn Contract>,
    findings: &mut Vec<Finding>,
) {
    const CODE: &str = "postgres.column-options";
    for (column, source) in table.columns.iter().flatten() {
        let at = source_pointer(pointer, column, source);
        if let Some(problem) = contradiction(source) {
            let finding = Finding::error(CODE, at.clone(), problem.message);
            findings.push(finding.with_help(problem.help));
        }
        let reads_strings = [
            ("decimal", source.decimal.is_some()),
            ("parse", source.parse),
        ];
        for (option, _) in reads_strings.iter().filter(|(_, is_set)| *is_set) {
            let types = contract
                .and_then(|contract| Some(contract.field(&steps(table, &source.path)?).types))
                .unwrap_or_default();
            let takes_strings = ["string", "array"]
                .iter()
                .any(|known| types.iter().any(|found| found == known));
            if types.is_empty() || takes_strings {
                continue;
            }
            let message = format!(
                "`{option}` reads strings, and by the contract `{}` is {}",
                source.path,
                types.join(" or ")
            );
            let finding = Finding::warning(CODE, at.clone(), message);
            findings.push(finding.with_help(format!("remove `{option}`, or correct the path")));
        }
    }
}

struct Contradiction {
    message: &'static str,
    help: &'static str,
}

fn contradiction(source: &ColumnSource) -> Option<Contradiction> {
    let readings = [
        source.unit.is_some(),
        source.decimal.is_some(),
        source.parse,
    ];
    if readings.iter().filter(|is_set| **is_set).count() > 1 {
        return Some(Contradiction {
            message: "`unit`, `decimal` and `parse` exclude each other",
            help: "keep one of them",
        });
    }
    match (source.decimal, source.scale) {
        (Some(_), None) => Some(Contradiction {
            message: "`decimal` needs `scale`: the number of digits after the point",
            help: "add the scale of Kafka Connect's schema, such as `scale = 2`",
        }),
        (None, Some(_)) => Some(Contradiction {
            message: "`scale` without `decimal` has no effect",
            help: "add `decimal = \"base64\"`, or remove `scale`",
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use connect_api::{Cause, ContractField, PathStep, Presence, ValueRef};

    use super::*;

    /// Every path is an integer.
    struct Integers;

    impl Contract for Integers {
        fn check(&self, _: ValueRef<'_>) -> Result<(), Cause> {
            Ok(())
        }

        fn field(&self, _: &[Option<PathStep>]) -> ContractField {
            ContractField {
                presence: Presence::Always,
                types: vec!["integer".into()],
                place: None,
            }
        }
    }

    #[test]
    fn options_of_one_column() {
        let cases = [
            ("unit = \"days\"", "", ""),
            (
                "decimal = \"base64\", scale = 2",
                "",
                "`decimal` reads strings",
            ),
            ("parse = true", "", "`parse` reads strings"),
            ("parse = false", "", ""),
            (
                "decimal = \"base64\"",
                "needs `scale`",
                "`decimal` reads strings",
            ),
            ("scale = 2", "without `decimal`", ""),
            (
                "unit = \"s\", parse = true",
                "exclude each other",
                "`parse` reads strings",
            ),
        ];
        for (options, contradiction, without_effect) in cases {
            let toml =
                format!("table = \"t\"\ncolumns = {{ c = {{ path = \"$.c\", {options} }} }}");
            let table: TableConfig =
                serde_json::from_value(toml::from_str(&toml).unwrap()).unwrap();
            for contract in [None, Some(&Integers as &dyn Contract)] {
                let mut findings = Vec::new();
                check(&table, "/tables/0", contract, &mut findings);
                let mut expected = vec![contradiction];
                if contract.is_some() {
                    expected.push(without_effect);
                }
                expected.retain(|part| !part.is_empty());
                assert_eq!(findings.len(), expected.len(), "{options}: {findings:?}");
                for (finding, part) in findings.iter().zip(expected) {
                    assert!(finding.message.contains(part), "{options}: {finding:?}");
                    assert_eq!(finding.pointer, "/tables/0/columns/c/path");
                }
            }
        }
    }
}
