//! The code in documents is code that is built.

use std::fs;
use std::path::Path;

/// Every block of docs/plugins.md that follows a link to a file of the example is a verbatim part of that file.
/// dev/test builds the example.
#[test]
fn the_page_about_plugins_shows_the_example() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = fs::read_to_string(docs.join("plugins.md")).expect("the page exists");
    let mut file = None;
    let mut shown = Vec::new();
    let mut parts = page.split("```");
    while let (Some(text), Some(block)) = (parts.next(), parts.next()) {
        let links = text.split("](").skip(1);
        let linked = links.filter_map(|link| link.split(')').next());
        file = linked
            .filter(|link| link.starts_with("../examples/own-plugins/"))
            .last()
            .or(file);
        let (language, code) = block.split_once('\n').expect("a block has lines");
        if language == "sh" {
            continue;
        }
        let file = file.expect("a link comes before the code");
        let text = fs::read_to_string(docs.join(file)).expect("the file exists");
        assert!(text.contains(code), "{file} lacks:\n{code}");
        shown.push(file.rsplit('/').next().unwrap_or(file));
    }
    let expected = [
        "Cargo.toml",
        "main.rs",
        "line_files.rs",
        "line_files.rs",
        "log_lines.rs",
        "upper_case.rs",
        "plugins.rs",
    ];
    assert_eq!(shown, expected);
}
