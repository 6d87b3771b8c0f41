//! The stages that every table passes before it is deserialized, in connector files and in `connect.toml`.

use super::file::{ConfigFile, Syntax};
use super::interpolate::interpolate;
use super::literal_secrets;
use super::loading::Loading;
use super::section::Section;
use super::validate::validate;

/// Replaces the placeholders of the sections and validates them by their schemas. `connector_keys` are the top-level keys of
/// a connector, which may be below a table header by mistake.
pub(super) fn interpolate_and_validate(
    mut sections: Vec<&mut Section>,
    connector_keys: &[String],
    loading: &Loading<'_>,
    file: &mut ConfigFile,
) {
    for section in &mut sections {
        interpolate(section, loading, file);
    }
    literal_secrets::check_file(file);
    if file.syntax != Syntax::Scrambled {
        for section in sections {
            validate(section, connector_keys, file);
        }
    }
}
