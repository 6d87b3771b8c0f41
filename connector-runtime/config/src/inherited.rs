//! The settings that a connector inherits from `[defaults]` of `connect.toml`.
//!
//! The tables of both files have the same keys, so they are merged before they are deserialized. A key that neither of them
//! has gets the built-in default of its type.

use serde_json::{Map, Value as Json, json};

use super::loading::{Loading, Mode};

/// `[batch]` of a connector, completed by `[defaults.batch]`.
pub(super) fn batch(connector: &Json, loading: &Loading<'_>) -> Json {
    merged("batch", connector, loading)
}

/// `[errors]` of a connector, completed by `[defaults.errors]`. The destination of dead letters is inherited only by a
/// connector that writes dead letters and does not name a destination.
pub(super) fn errors(connector: &Json, loading: &Loading<'_>) -> Json {
    const DESTINATIONS: [&str; 2] = ["dead_letter_topic", "dead_letter"];
    let mut merged = merged("errors", connector, loading);
    let Some(table) = merged.as_object_mut() else {
        return merged;
    };
    let own = connector.get("errors");
    let is_own = |key: &str| own.is_some_and(|own| own.get(key).is_some());
    let has_destination = DESTINATIONS.into_iter().any(is_own);
    let writes_dead_letters = table.get("tolerance") == Some(&json!("all"));
    if has_destination || !writes_dead_letters {
        table.retain(|key, _| is_own(key) || !DESTINATIONS.contains(&key.as_str()));
    }
    if loading.mode == Mode::RunEmbedded {
        table.entry("show_values").or_insert(json!(true));
    }
    merged
}

/// The connector's table over that of `[defaults]`. A value that is not a table stays as it is: validation reports it.
fn merged(table: &str, connector: &Json, loading: &Loading<'_>) -> Json {
    let own = match connector.get(table) {
        Some(Json::Object(own)) => own.clone(),
        Some(other) => return other.clone(),
        None => Map::new(),
    };
    let inherited = loading.defaults.get(table).and_then(Json::as_object);
    let mut merged = inherited.cloned().unwrap_or_default();
    merged.extend(own);
    Json::Object(merged)
}
