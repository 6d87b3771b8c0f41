#![allow(clippy::unwrap_used)]

use connect_api::{Cause, CheckContext, Contract, ContractField, PathStep, Presence, ValueRef};

use super::*;

fn config(toml: &str) -> Config {
    serde_json::from_value(toml::from_str(toml).unwrap()).unwrap()
}

fn found(toml: &str, context: &CheckContext<'_>) -> Vec<String> {
    check(&config(toml), context)
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.pointer))
        .collect()
}

#[test]
fn findings() {
    let long = format!(
        "url = \"postgres://h/x\"\n[[tables]]\ntable = \"{}\"",
        "t".repeat(64)
    );
    let cases: [(&str, &[&str]); 29] = [
        // As in the database, where names are compared without case if none is equal.
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"GRÖSSE\"]\ncolumns = { \"grösse\" = \"$.b\" }",
            &[],
        ),
        ("url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"", &[]),
        ("[[tables]]\ntable = \"t\"", &["postgres.connection "]),
        (
            "url = \"postgres://h/x\"\nsslmode = \"require\"\n[[tables]]\ntable = \"t\"",
            &["postgres.unverified /sslmode"],
        ),
        (
            "url = \"postgres://h/x?sslmode=disable\"\n[[tables]]\ntable = \"t\"",
            &["postgres.unverified /url"],
        ),
        (
            "host = \"10.0.0.1\"\nsslmode = \"verify-ca\"\n[[tables]]\ntable = \"t\"",
            &["postgres.unverified /sslmode"],
        ),
        (
            "url = \"postgres://localhost/x\"\nsslmode = \"disable\"\n[[tables]]\ntable = \"t\"",
            &[],
        ),
        (
            "url = \"postgres://h/x\"\nhost = \"h\"\n[[tables]]\ntable = \"t\"",
            &["postgres.connection /host"],
        ),
        (
            "url = \"jdbc:postgresql://h/x?password=hunter2\"\nmigrations_url = \"postgres//h/x\"\n[[tables]]\ntable = \"t\"",
            &["postgres.url /url", "postgres.url /migrations_url"],
        ),
        (
            "url = \"postgres://h:port/x\"\n[[tables]]\ntable = \"t\"\neach = \"$.a\"",
            &["postgres.url /url", "postgres.each /tables/0/each"],
        ),
        (
            "url = \"postgres://h/x\"\nprogress_table = \"\"\n[[tables]]\ntable = \"t\"",
            &["postgres.identifier /progress_table"],
        ),
        (&long, &["postgres.identifier /tables/0/table"]),
        (
            "url = \"postgres://h/x\"\nmigrations = \"/nowhere\"\n[[tables]]\ntable = \"t\"",
            &["postgres.migrations /migrations"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"upsert\"",
            &["postgres.key /tables/0"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nkey = [\"id\"]",
            &["postgres.key /tables/0/key"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"update\"\nkey = [\"id\", \"id\"]\ncolumns = { a = \"$.a\" }",
            &[
                "postgres.key /tables/0/key/0",
                "postgres.key /tables/0/key/1",
                "postgres.key /tables/0/key/1",
            ],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmissing_row = \"ignore\"",
            &["postgres.key /tables/0/missing_row"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\ncolumns = {}",
            &["postgres.columns /tables/0/columns"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\ncolumns = { a = \"@.a\", \"b/c\" = { path = \"#index\" } }",
            &[
                "postgres.element-without-each /tables/0/columns/a",
                "postgres.element-without-each /tables/0/columns/b~1c/path",
            ],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\neach = \"$.a[*]\"\ncolumns = { a = \"@.a\" }",
            &[],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\n[[tables]]\ntable = \"t\"\nmode = \"delete\"\nkey = [\"id\"]",
            &["postgres.conflicting-tables /tables/1/table"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]\n[[tables]]\ntable = \"t\"\nmode = \"delete\"\nkey = [\"id\"]",
            &[],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\n[[tables]]\ntable = \"t\"",
            &[],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\n[[tables]]\ntable = '\"t\"'\nmode = \"delete\"\nkey = [\"id\"]",
            &["postgres.conflicting-tables /tables/1/table"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"public.t\"\n[[tables]]\ntable = \"t\"\nmode = \"delete\"\nkey = [\"id\"]",
            &["postgres.conflicting-tables /tables/1/table"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"s.t\"\n[[tables]]\ntable = \"public.t\"\nmode = \"delete\"\nkey = [\"id\"]",
            &[],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\non_conflict = \"nothing\"\n[[tables]]\ntable = \"t\"",
            &["postgres.conflicting-tables /tables/1/table"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\"]\non_conflict = \"nothing\"",
            &["postgres.key /tables/0/on_conflict"],
        ),
        (
            "url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\nmode = \"upsert\"\nkey = [\"id\", \"ID\"]\ncolumns = { ID = \"$.a\", id = \"$.b\" }",
            &[
                "postgres.key /tables/0/key/1",
                "postgres.columns /tables/0/columns/id",
            ],
        ),
    ];
    for (toml, expected) in cases {
        assert_eq!(found(toml, &CheckContext::default()), expected, "{toml}");
    }
}

/// A contract that requires `id`, knows `note` and `items[*].sku`, and nothing else.
struct Sales;

impl Contract for Sales {
    fn check(&self, _: ValueRef<'_>) -> Result<(), Cause> {
        Ok(())
    }

    fn field(&self, steps: &[Option<PathStep>]) -> ContractField {
        let names: Vec<&str> = steps
            .iter()
            .map(|step| match step {
                Some(PathStep::Name(name)) => name,
                _ => "*",
            })
            .collect();
        let presence = match names.join(".").as_str() {
            "id" => Presence::Always,
            "note" | "items.*.sku" => Presence::Sometimes,
            _ => Presence::Never,
        };
        ContractField {
            presence,
            types: Vec::new(),
            place: None,
        }
    }
}

#[test]
fn paths_are_compared_with_the_contract() {
    let context = CheckContext {
        contract: Some(&Sales),
        keeps_tombstones: false,
    };
    let toml = r##"
        url = "postgres://h/x"
        [[tables]]
        table = "t"
        mode = "upsert"
        key = ["id", "note"]
        columns = { id = "$.id", note = "$.note", other = "$.totl", topic = "#topic" }
        [[tables]]
        table = "i"
        each = "$.items[*]"
        columns = { sku = "@.sku", price = "@.price" }
    "##;
    assert_eq!(
        found(toml, &context),
        [
            "mapping.optional-key /tables/0/columns/note",
            "mapping.unknown-path /tables/0/columns/other",
            "mapping.unknown-path /tables/1/columns/price",
        ]
    );
}

#[test]
fn orphans_need_a_key_of_two_parts_and_all_elements() {
    let good = "mode = \"upsert\"\neach = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"sale\", \"line\"]\ncolumns = { sale = \"$.id\", line = \"#index\" }";
    let cases: [(String, &[&str]); 10] = [
        (good.to_owned(), &[]),
        (
            good.replace("#index", "@.line").replace("$.id", "#key"),
            &[],
        ),
        (
            good.replace("\"upsert\"", "\"update\""),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            good.replace("$.items[*]", "$.items[0:2]"),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            good.replace("$.items[*]", "$.orders[*].items[*]"),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            good.replace("$.id", "@.sale"),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            good.replace("#index", "$.line"),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            good.replace("each = \"$.items[*]\"\n", "")
                .replace("#index", "$.line"),
            &["postgres.orphans /tables/0/orphans"],
        ),
        (
            format!(
                "{good}\n[[tables]]\ntable = \"t\"\n{}",
                good.replace("orphans = \"delete\"\n", "")
            ),
            &["postgres.conflicting-tables /tables/1/table"],
        ),
        (
            format!(
                "{good}\n[[tables]]\ntable = \"t\"\n{}",
                good.replace("orphans = \"delete\"\n", "")
                    .replace("upsert", "delete")
            ),
            &[],
        ),
    ];
    for (entry, expected) in cases {
        let toml = format!("url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\n{entry}");
        assert_eq!(found(&toml, &CheckContext::default()), expected, "{entry}");
    }
}

#[test]
fn keys_that_tombstones_do_not_have() {
    let context = CheckContext {
        contract: None,
        keeps_tombstones: true,
    };
    let finding: &[&str] = &["postgres.tombstone-key /tables/0/key/0"];
    let cases = [
        (
            "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"#key\" }",
            &[][..],
        ),
        (
            "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { ID = \"#key.id\" }",
            &[],
        ),
        (
            "mode = \"upsert\"\nkey = [\"id\"]\ncolumns = { id = \"$.id\" }",
            finding,
        ),
        ("mode = \"delete\"\nkey = [\"id\"]", finding),
        (
            "mode = \"upsert\"\nkey = [\"id\"]\nwhen = \"value != null\"",
            &[],
        ),
        ("mode = \"update\"\nkey = [\"id\"]", &[]),
        ("mode = \"insert\"", &[]),
        (
            "mode = \"upsert\"\neach = \"$.items[*]\"\nkey = [\"id\", \"line\"]\ncolumns = { id = \"$.id\", line = \"#index\" }",
            &[],
        ),
        (
            "mode = \"upsert\"\neach = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"id\", \"line\"]\ncolumns = { id = \"$.id\", line = \"#index\" }",
            finding,
        ),
        (
            "mode = \"upsert\"\neach = \"$.items[*]\"\norphans = \"delete\"\nkey = [\"id\", \"line\"]\ncolumns = { id = \"#key\", line = \"#index\" }",
            &[],
        ),
    ];
    for (entry, expected) in cases {
        let toml = format!("url = \"postgres://h/x\"\n[[tables]]\ntable = \"t\"\n{entry}");
        assert_eq!(found(&toml, &context), expected, "{entry}");
        assert!(
            !found(&toml, &CheckContext::default())
                .contains(&"postgres.tombstone-key /tables/0/key/0".to_owned())
        );
    }
}

#[test]
fn migration_files() {
    let folder = std::env::temp_dir().join(format!("connect-test-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let mut findings = Vec::new();
    migrations::check(&folder, &mut findings);
    assert_eq!(findings.len(), 1);
    for name in [
        "0001_a.sql",
        "1_b.sql",
        "create.sql",
        "2_c.up.sql",
        "2_c.down.sql",
        "notes.txt",
    ] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    findings.clear();
    migrations::check(&folder, &mut findings);
    let messages: Vec<&str> = findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "`0001_a.sql` and `1_b.sql` have the same number",
            "`create.sql` does not begin with a number, so it would not be run",
        ]
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn every_code_is_explained() {
    let source = concat!(
        include_str!("../check.rs"),
        include_str!("contract.rs"),
        include_str!("options.rs")
    );
    let words = source.split('"').filter(|word| {
        ["postgres.", "mapping."]
            .iter()
            .any(|start| word.starts_with(start))
            && !word.contains(' ')
    });
    for code in words {
        assert!(
            EXPLANATIONS
                .iter()
                .any(|explanation| explanation.code == code),
            "{code}"
        );
    }
}
