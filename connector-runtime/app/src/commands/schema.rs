//! `connect schema`: the JSON Schema of a connector file.

use connect_api::Plugins;
use connect_engine::config::connector_schema;

use crate::output;

pub(crate) fn run(plugins: &Plugins) -> u8 {
    output::data(&format!("{:#}", connector_schema(plugins)))
}
