//! `connect schema`: the JSON Schemas of the files, for editors.

use connect_api::Plugins;
use connect_config::{connector_schema, process_schema};

use crate::arguments::{SchemaArguments, SchemaOf};
use crate::output;

pub(crate) fn run(arguments: &SchemaArguments, plugins: &Plugins) -> u8 {
    let mut schema = match arguments.file {
        SchemaOf::Connector => connector_schema(plugins),
        SchemaOf::Process => process_schema(),
    };
    // Sorted, because the order of members would otherwise depend on the features of serde_json in the build.
    schema.sort_all_objects();
    output::data(&format!("{schema:#}"))
}
