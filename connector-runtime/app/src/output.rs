//! Output of the commands: results on stdout, messages on stderr.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::exit;

/// The name that started the program, for hints that can be typed.
pub(crate) fn program_name() -> String {
    let first = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&first).file_name().unwrap_or_default();
    match name.to_string_lossy() {
        name if name.is_empty() => "connect".to_owned(),
        name => name.into_owned(),
    }
}

/// Writes a result to stdout; the exit code tells whether it was written. A reader that has closed (`| head`) is no
/// error.
pub(crate) fn data(text: &str) -> u8 {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            report(&format!("error: cannot write to stdout: {error}"));
            exit::UNREACHABLE
        }
        _ => 0,
    }
}

/// Writes a message to stderr.
pub(crate) fn report(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether stdout shows colour: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn stdout_takes_colour() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
