//! The command line of `connect`: a distribution passes its plugins to [`main`] and gets the whole program.

mod arguments;
mod commands;
mod embedded;
mod http;
mod logs;
mod output;
mod screen;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use connect_api::Plugins;

use arguments::{Arguments, Command};

/// Exit codes (`0` is clean).
pub(crate) mod exit {
    /// `check` has findings, or `run` ended with a FAILED connector.
    pub(crate) const FINDINGS: u8 = 1;
    /// Invalid usage, or `run` refused to start.
    pub(crate) const USAGE: u8 = 2;
    /// Something that the result depends on is unreachable.
    pub(crate) const UNREACHABLE: u8 = 3;
    /// A bug.
    pub(crate) const INTERNAL: u8 = 70;
}

/// Runs the program with these plugins: parses the command line, runs the command and returns the exit code.
pub fn main(plugins: Plugins) -> ExitCode {
    let program = output::program_name();
    let command = Arguments::command()
        .name("connect")
        .before_help(arguments::help_header(&program));
    let parsed = command
        .try_get_matches_from(arguments::name_before_action(std::env::args_os().collect()))
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Requested help: 0. Everything else is invalid usage.
            let code = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
            // If this fails, no reader is left.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(arguments.command, plugins)));
    ExitCode::from(outcome.unwrap_or(exit::INTERNAL))
}

fn dispatch(command: Command, plugins: Plugins) -> u8 {
    match command {
        Command::Run(arguments) => commands::run::run(&arguments, plugins),
        Command::Check(arguments) => commands::check::run(&arguments, &plugins),
        Command::Plugins(arguments) => commands::plugins::run(&arguments, &plugins),
        Command::Schema(arguments) => commands::schema::run(&arguments, &plugins),
        Command::Explain(arguments) => commands::explain::run(&arguments, &plugins),
        Command::Offsets(arguments) => commands::offsets::run(&arguments, &plugins),
    }
}
