//! A distribution with a plugin of its own: `connector-runtime/cli/src/main.rs` and one more line.

use std::process::ExitCode;

use connect_api::Plugins;
use connect_sink_kafka::Kafka;
use connect_sink_postgres::Postgres;
use connect_sink_stdout::Stdout;
use connect_source_pos_simulator::PosSimulator;
use connect_source_random_user::RandomUser;
use third_party_sink::BatchFiles;

fn main() -> ExitCode {
    let plugins = Plugins::new()
        .sink::<BatchFiles>() // the line
        .sink::<Postgres>()
        .sink::<Kafka>()
        .sink::<Stdout>()
        .source::<PosSimulator>()
        .source::<RandomUser>();
    connect_app::main(connect_transforms::register(plugins))
}
