//! A distribution for tests: `connect` with plugins that are slow, hang, loop and panic on demand, and some correct
//! ones.

// These plugins exist to panic.
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
