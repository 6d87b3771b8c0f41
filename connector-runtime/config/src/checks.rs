//! Checks of a connector that no schema expresses: keys that exclude or need each other, and connectors that would read what
//! they write.
//!
//! The checks read the file's JSON instead of the typed configuration, so that they work if other tables have errors.

mod batch;
mod direction;
mod errors;
mod formats;
mod sinks;
mod topics;

pub(super) use direction::direction;
pub(super) use formats::unused_formats;
pub(super) use topics::target_topics;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::codes;
use super::file::ConfigFile;
use super::formats::check_connector_name;
use super::loading::Loading;
use super::section::Section;
use super::tables::Direction;

/// Every check of one connector.
pub(super) fn connector(
    section: &Section,
    direction: Direction,
    name: &str,
    loading: &Loading<'_>,
    file: &mut ConfigFile,
) {
    let mut checks = Checks {
        root: &section.value,
        direction,
        loading,
        file,
    };
    checks.name(name);
    if direction == Direction::Sink {
        checks.topics(&section.schema);
        checks.sinks();
        checks.batch();
    }
    checks.errors();
    checks.formats();
}

struct Checks<'a> {
    root: &'a Json,
    direction: Direction,
    loading: &'a Loading<'a>,
    file: &'a mut ConfigFile,
}

impl Checks<'_> {
    fn has(&self, pointer: &str) -> bool {
        self.root.pointer(pointer).is_some()
    }

    /// A table as its type. `None` if the table at `pointer` has errors.
    fn typed<T: DeserializeOwned>(&self, pointer: &str, table: &Json) -> Option<T> {
        if self.file.has_errors_in(pointer) {
            return None;
        }
        serde_json::from_value(table.clone()).ok()
    }

    /// A name in the file is checked by its format; the name of the file is checked here.
    fn name(&mut self, name: &str) {
        if self.has("/name") {
            return;
        }
        if let Err(reason) = check_connector_name(name) {
            let message = format!("the file's name cannot be the connector's name: {reason}");
            let finding = codes::BAD_NAME.error("", message);
            self.file
                .add(finding.with_help("rename the file, or write name = \"…\" in it"));
        }
    }
}
