//! A distribution of one's own: `connect` with one more sink, for the tests of slow writes.

mod sink;

use std::process::ExitCode;

use connect_api::Plugins;

fn main() -> ExitCode {
    connect_app::main(Plugins::new().sink::<sink::Slow>())
}
