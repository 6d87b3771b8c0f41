//! The binary `connect`: the list of its plugins, and nothing else.
//!
//! A distribution of your own is this file with one more line, see `examples/third-party-sink`.

use std::process::ExitCode;

use connect_api::Plugins;

fn main() -> ExitCode {
    connect_app::main(plugins())
}

fn plugins() -> Plugins {
    let plugins = Plugins::new()
        .sink::<connect_sink_postgres::Postgres>()
        .sink::<connect_sink_kafka::Kafka>()
        .sink::<connect_sink_stdout::Stdout>()
        .source::<connect_source_pos_simulator::PosSimulator>()
        .source::<connect_source_random_user::RandomUser>();
    connect_transforms::register(plugins)
}
