//! A distribution of one's own: `connect` with plugins that are slow, hang, loop and panic when a test says so, beside
//! some that behave.

// To panic is what these plugins are for.
#![allow(clippy::panic)]

mod files;
mod sink;
mod slow;
mod source;
mod transform;
mod trouble;

use std::process::ExitCode;

use connect_api::Plugins;
use connect_sink_postgres::Postgres;
use connect_source_pos_simulator::PosSimulator;

fn main() -> ExitCode {
    let plugins = Plugins::new()
        .sink::<Postgres>()
        .sink::<sink::Faulty>()
        .sink::<files::FaultyFiles>()
        .sink::<slow::Slow>()
        .source::<PosSimulator>()
        .source::<source::Faulty>()
        .transform::<transform::Faulty>();
    connect_app::main(plugins)
}
