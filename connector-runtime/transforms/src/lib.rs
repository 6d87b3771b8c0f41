//! The built-in transforms, one file each.
//!
//! All of them work on the value or, with `on = "key"`, on the decoded key, and all take `when` (the engine evaluates
//! it). A tombstone and an absent key pass unchanged.

mod cast;
mod extract_field;
mod filter;
mod insert_field;
mod mask_field;
mod part;
mod pick;
mod replace_field;
mod value_to_key;

use connect_api::Plugins;

pub use cast::Cast;
pub use extract_field::ExtractField;
pub use filter::Filter;
pub use insert_field::InsertField;
pub use mask_field::MaskField;
pub use part::Part;
pub use pick::Pick;
pub use replace_field::ReplaceField;
pub use value_to_key::ValueToKey;

/// Adds every transform of this crate.
pub fn register(plugins: Plugins) -> Plugins {
    plugins
        .transform::<InsertField>()
        .transform::<ReplaceField>()
        .transform::<Cast>()
        .transform::<MaskField>()
        .transform::<ExtractField>()
        .transform::<ValueToKey>()
        .transform::<Filter>()
        .transform::<Pick>()
}
