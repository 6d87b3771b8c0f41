//! `connect`: the list of its plugins.
//!
//! Your own distribution is a crate with this file and one more line for each of your plugins.

use std::process::ExitCode;

use connect_api::Plugins;
use connect_sink_http::Http;
use connect_sink_kafka::Kafka;
use connect_sink_postgres::Postgres;
use connect_sink_stdout::Stdout;
use connect_source_pos_simulator::PosSimulator;
use connect_source_random_image::RandomImage;
use connect_source_random_user::RandomUser;

fn main() -> ExitCode {
    let plugins = Plugins::new()
        .sink::<Postgres>()
        .sink::<Kafka>()
        .sink::<Http>()
        .sink::<Stdout>()
        .source::<PosSimulator>()
        .source::<RandomImage>()
        .source::<RandomUser>();
    connect_app::main(connect_transforms::register(plugins))
}
