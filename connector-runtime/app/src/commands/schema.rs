//! `connect schema`: the JSON Schemas of the files, for editors.

use connect_api::Plugins;
use connect_engine::config::{connector_schema, process_schema};

use crate::arguments::{SchemaArguments, SchemaOf};
use crate::output;

pub(crate) fn run(arguments: &SchemaArguments, plugins: &Plugins) -> u8 {
    let schema = match arguments.file {
        SchemaOf::Connector => connector_schema(plugins),
        SchemaOf::Process => process_schema(),
    };
    output::data(&format!("{schema:#}"))
}
