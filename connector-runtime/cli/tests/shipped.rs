//! The shipped files match the program that they are shipped with.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Runs the program without the variables that would affect it.
fn connect(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connect"))
        .args(arguments)
        .current_dir(root())
        .env_remove("DATABASE_URL")
        .env_remove("KAFKA_BOOTSTRAP_SERVERS")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every TOML file below the folders of shipped connectors. A folder with a crate is another distribution, with its
/// own plugins and schema.
fn shipped() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("connectors.d"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        if folder.join("Cargo.toml").exists() {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files.push(path);
            }
        }
    }
    files.retain(|path| path.file_name().is_some_and(|name| name != "connect.toml"));
    assert!(!files.is_empty());
    files
}

#[test]
fn the_schemas_for_editors_are_those_that_the_program_prints() {
    let files = [
        ("connector.schema.json", "connector"),
        ("connect.schema.json", "connect.toml"),
    ];
    for (file, of) in files {
        let written = std::fs::read_to_string(root().join("schemas").join(file)).unwrap();
        assert!(
            written == stdout(&connect(&["schema", of])),
            "run `cargo run -- schema {of} > schemas/{file}`"
        );
    }
    assert_eq!(
        connect(&["schema"]).stdout,
        connect(&["schema", "connector"]).stdout
    );
}

/// The file that people copy is valid, except for the secrets that it names.
#[test]
fn the_example_of_connect_toml_is_checked_and_clean() {
    let example = root().join("examples/connect.toml");
    let arguments = ["check", "connectors.d", "--format", "json", "--config"];
    let report = connect(&[&arguments[..], &[example.to_str().unwrap()]].concat());
    let report: Value = serde_json::from_str(&stdout(&report)).unwrap();
    assert_eq!(report["summary"]["errors"], 0, "{report:#}");
    assert_eq!(report["summary"]["warnings"], 0, "{report:#}");

    let text = std::fs::read_to_string(example).unwrap();
    assert!(text.starts_with("#:schema ../schemas/connect.schema.json\n"));
    let value = serde_json::to_value(text.parse::<toml_1_0::Table>().unwrap()).unwrap();
    let schema = stdout(&connect(&["schema", "connect.toml"]));
    let validator = jsonschema::draft7::new(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for table in ["kafka", "registry", "http", "defaults"] {
        assert!(value.get(table).is_some(), "{table}");
    }
}

#[test]
fn shipped_connectors_are_checked_and_clean() {
    let output = connect(&["check", "connectors.d"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let report = stdout(&connect(&["check", "connectors.d", "--format", "json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["summary"]["errors"], 0);
    assert_eq!(report["summary"]["warnings"], 0);
}

#[test]
fn shipped_connectors_are_toml_1_0_and_name_their_schema() {
    for path in shipped() {
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let schema = first
            .strip_prefix("#:schema ")
            .unwrap_or_else(|| panic!("{}: {first}", path.display()));
        assert!(
            path.parent().unwrap().join(schema).exists(),
            "{}: {schema}",
            path.display()
        );
        // This version of the parser does not know TOML 1.1.
        if let Err(error) = text.parse::<toml_1_0::Table>() {
            panic!("{}: {error}", path.display());
        }
    }
}

#[test]
fn shipped_connectors_fit_the_schema_for_editors() {
    let schema: Value = serde_json::from_str(&stdout(&connect(&["schema"]))).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for path in shipped() {
        let text = std::fs::read_to_string(&path).unwrap();
        let value = serde_json::to_value(text.parse::<toml_1_0::Table>().unwrap()).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

/// An editor must report the mistakes that `connect check` reports.
#[test]
fn the_schema_for_editors_refuses_mistakes() {
    let schema: Value = serde_json::from_str(&stdout(&connect(&["schema"]))).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let cases = [
        ("topics = [\"a\"]\n[[sinks]]\ntype = \"stdout\"", true),
        (
            "topics = [\"a\"]\ntaks = 1\n[[sinks]]\ntype = \"stdout\"",
            false,
        ),
        ("topics = [\"a\"]\n[[sinks]]\ntype = \"stdou\"", false),
        (
            "topics = [\"a\"]\n[[sinks]]\ntype = \"stdout\"\ntabels = []",
            false,
        ),
        (
            "topics = [\"a\"]\n[[transforms]]\ntype = \"filter\"\nconditio = \"\"\n[[sinks]]\ntype = \"stdout\"",
            false,
        ),
        (
            "topic = \"a\"\n[source]\ntype = \"pos_simulator\"\nsede = 1",
            false,
        ),
        (
            "topic = \"a\"\n[source]\ntype = \"pos_simulator\"\nseed = 1",
            true,
        ),
    ];
    for (text, valid) in cases {
        let value = serde_json::to_value(text.parse::<toml_1_0::Table>().unwrap()).unwrap();
        assert_eq!(validator.is_valid(&value), valid, "{text}");
    }
}

#[test]
fn every_plugin_has_a_page_and_an_example_that_is_toml() {
    let listed = stdout(&connect(&["plugins", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let plugins = listed["plugins"].as_array().unwrap();
    assert!(plugins.len() >= 13, "{plugins:?}");
    for plugin in plugins {
        let name = plugin["name"].as_str().unwrap();
        let page = connect(&["plugins", name]);
        assert_eq!(page.status.code(), Some(0));
        assert!(stdout(&page).contains("example"), "{name}");
        let example = plugin["example"].as_str().unwrap();
        assert!(
            example.parse::<toml_1_0::Table>().is_ok(),
            "{name}: {example}"
        );
    }
}

/// The pages of the files contain every key that validation knows, with its path.
#[test]
fn the_pages_of_the_files_list_every_key() {
    fn visit(schema: &Value, path: &str, page: &str) -> usize {
        let Some(properties) = schema["properties"].as_object() else {
            return 0;
        };
        let mut seen = 0;
        for (name, property) in properties {
            let name = if name.contains('.') {
                format!("\"{name}\"")
            } else {
                name.clone()
            };
            let key = format!("{path}{name}");
            assert!(
                page.contains(&format!("\n  {key} ")),
                "{key} is not in\n{page}"
            );
            seen += 1 + visit_inner(property, &key, page);
        }
        seen
    }
    /// A table with the keys of another table is not listed again.
    fn visit_inner(property: &Value, key: &str, page: &str) -> usize {
        let listed = page
            .lines()
            .skip_while(|line| !line.starts_with(&format!("  {key} ")));
        let mut below = listed.skip(1).take_while(|line| line.starts_with("      "));
        if below.any(|line| line.starts_with("      Its keys: see `")) {
            return 0;
        }
        visit(property, &format!("{key}."), page)
            + visit(&property["items"], &format!("{key}[]."), page)
    }
    for (name, some) in [
        (
            "connector",
            [
                "start",
                "batch.in_flight",
                "errors.stop_after.rejects",
                "sinks[].key_format.tombstone",
                "sinks[].when",
            ],
        ),
        (
            "connect.toml",
            [
                "kafka.bootstrap_servers",
                "kafka.\"sasl.password\"",
                "registry.ca_file",
                "http.token_file",
                "defaults.errors.tolerance",
            ],
        ),
    ] {
        let listed = stdout(&connect(&["plugins", name, "--format", "json"]));
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let page = stdout(&connect(&["plugins", name]));
        for file in listed["plugins"].as_array().unwrap() {
            assert_eq!(file["kind"], "file");
            let about = file["about"].as_str().unwrap();
            let from = page.find(about).unwrap();
            let page = &page[from..];
            let page = page.split_once("\nexample\n").unwrap().0;
            assert!(visit(&file["schema"], "", page) > 10, "{name}");
        }
        for key in some {
            assert!(page.contains(&format!("\n  {key} ")), "{key}");
        }
    }
}

#[test]
fn a_plugin_can_document_its_meaning_of_a_key_of_the_engine() {
    let filter = stdout(&connect(&["plugins", "filter"]));
    assert!(
        filter.contains("Records that meet this condition are dropped"),
        "{filter}"
    );
    assert!(
        !filter.contains("Only records that satisfy this condition"),
        "{filter}"
    );
    let cast = stdout(&connect(&["plugins", "cast"]));
    assert!(
        cast.contains("Only records that satisfy this condition are changed"),
        "{cast}"
    );
}

#[test]
fn every_listed_code_is_explained() {
    let listed = stdout(&connect(&["explain", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for explanation in listed["explanations"].as_array().unwrap() {
        let code = explanation["code"].as_str().unwrap();
        let page = connect(&["explain", code]);
        assert_eq!(page.status.code(), Some(0), "{code}");
        for part in ["why", "example", "fix"] {
            assert!(
                !explanation[part].as_str().unwrap().is_empty(),
                "{code} {part}"
            );
        }
    }
    assert_eq!(
        connect(&["explain", "config.unknwn-key"]).status.code(),
        Some(2)
    );
}

#[test]
fn exit_codes_tell_findings_from_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), "taks = 1\n").unwrap();
    let broken = folder.path().to_str().unwrap();
    let cases: [(&[&str], i32); 5] = [
        (&["check", broken], 1),
        (&["check", "no-such-folder"], 2),
        (&["check", "connectors.d", "--config", "no-such-file"], 2),
        (&[], 2),
        (&["plugins", "no-such-plugin"], 2),
    ];
    for (arguments, expected) in cases {
        let output = connect(arguments);
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{arguments:?}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn findings_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(
        &file,
        "topics = [\"a\"]\ntaks = 1\n[[sinks]]\ntype = \"stdout\"\n",
    )
    .unwrap();
    let folder = folder.path().to_str().unwrap();

    let output = connect(&["check", folder, "--format", "json"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "ok": false,
        "summary": { "connectors": 1, "contracts": 0, "errors": 1, "warnings": 0, "notes": 0 },
        "findings": [{
            "code": "config.unknown-key",
            "severity": "error",
            "file": file,
            "line": 2,
            "column": 1,
            "key": "taks",
            "message": "unknown key `taks`",
            "label": "not a key of a sink connector",
            "related": null,
            "help": "a sink connector has the key `tasks`",
        }],
    });
    assert_eq!(report, expected);

    let lines = stdout(&connect(&["check", folder, "--format", "github"]));
    let expected = format!(
        "::error file={},line=2,col=1,title=config.unknown-key::unknown key `taks`%0Anot a key of a sink connector%0Ahelp: a sink connector has the key `tasks`\nchecked 1 connector, 0 contracts: 1 error, 0 warnings\n",
        file.display()
    );
    assert_eq!(lines, expected);
}
