//! Places in a value as messages write them: `$.items[2].quantity`.

/// Appends a member's name, in quotes where it is not a plain word.
pub(crate) fn push_member(place: &mut String, name: &str) {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        place.push('.');
        place.push_str(name);
    } else {
        let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
        place.push_str(&format!("['{escaped}']"));
    }
}

/// Appends an element's index.
pub(crate) fn push_index(place: &mut String, index: usize) {
    place.push_str(&format!("[{index}]"));
}
