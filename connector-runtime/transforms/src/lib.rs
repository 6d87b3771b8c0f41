//! The built-in transforms, one file each.
//!
//! All of them change the value or, with `on = "key"`, the decoded key. All accept `when`, which the engine evaluates. A
//! tombstone and an absent key pass unchanged.

mod cast;
mod content;
mod digest;
mod drop_headers;
mod extract_field;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod image_info;
mod insert_field;
mod insert_header;
mod lookup;
mod mask_field;
mod part;
mod pick;
mod regex_router;
mod replace_field;
mod router;
mod split;
mod timestamp_convert;
mod timestamp_router;
mod value_to_key;

use connect_api::Plugins;

pub use cast::Cast;
pub use content::Encoding;
pub use digest::Digest;
pub use drop_headers::DropHeaders;
pub use extract_field::ExtractField;
pub use filter::Filter;
pub use flatten::Flatten;
pub use header_from::HeaderFrom;
pub use hoist_field::HoistField;
pub use image_info::ImageInfo;
pub use insert_field::InsertField;
pub use insert_header::InsertHeader;
pub use lookup::StaticLookup;
pub use mask_field::MaskField;
pub use part::Part;
pub use pick::Pick;
pub use regex_router::RegexRouter;
pub use replace_field::ReplaceField;
pub use split::Split;
pub use timestamp_convert::TimestampConvert;
pub use timestamp_router::TimestampRouter;
pub use value_to_key::ValueToKey;

/// Adds every transform of this crate.
pub fn register(plugins: Plugins) -> Plugins {
    plugins
        .transform::<InsertField>()
        .transform::<InsertHeader>()
        .transform::<ReplaceField>()
        .transform::<Cast>()
        .transform::<MaskField>()
        .transform::<ExtractField>()
        .transform::<ValueToKey>()
        .transform::<Filter>()
        .transform::<Pick>()
        .transform::<Digest>()
        .transform::<ImageInfo>()
        .transform::<TimestampConvert>()
        .transform::<Split>()
        .transform::<StaticLookup>()
        .transform::<Flatten>()
        .transform::<HoistField>()
        .transform::<HeaderFrom>()
        .transform::<DropHeaders>()
        .transform::<RegexRouter>()
        .transform::<TimestampRouter>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    /// The example that `connect plugins NAME` prints works when it is pasted.
    #[test]
    fn every_example_builds() {
        let plugins = register(Plugins::new());
        assert_eq!(plugins.transforms().len(), 20);
        for plugin in plugins.transforms() {
            let file: toml::Table = toml::from_str(plugin.example).unwrap();
            let mut table = file["transforms"][0].as_table().unwrap().clone();
            assert_eq!(table.remove("type").unwrap().as_str(), Some(plugin.name));
            table.remove("when");
            // The loader makes the path of a file absolute.
            let folder = tempfile::tempdir().unwrap();
            if let Some(file) = table.get_mut("file") {
                let path = folder.path().join(file.as_str().unwrap());
                std::fs::write(&path, "store_id,city\n7,Ulm\n").unwrap();
                *file = path.display().to_string().into();
            }
            let configured = (plugin.configure)(serde_json::to_value(table).unwrap());
            let factory = configured.unwrap_or_else(|error| panic!("{}: {error}", plugin.name));
            assert!(factory.build().is_ok(), "{}", plugin.name);
        }
    }
}
