//! `connect` with the plugins of this crate.

use std::process::ExitCode;

use connect_api::Plugins;
use connect_sink_kafka::Kafka;
use connect_sink_postgres::Postgres;
use own_plugins::{LineFiles, LogLines, UpperCase};

fn main() -> ExitCode {
    let plugins = Plugins::new()
        .sink::<Postgres>()
        .sink::<Kafka>()
        .sink::<LineFiles>()
        .source::<LogLines>()
        .transform::<UpperCase>();
    connect_app::main(connect_transforms::register(plugins))
}
