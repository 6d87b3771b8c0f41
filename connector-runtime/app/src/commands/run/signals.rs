//! The signals of `run`: SIGINT, SIGTERM and SIGHUP.

use std::io::IsTerminal;

use connect_api::Cause;
use tokio::signal::unix::{self, SignalKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Interrupt,
    Terminate,
    /// SIGHUP from a terminal that closed, if this process was started on it.
    HangUp,
    /// SIGHUP without a terminal: a person asks to restart failed connectors.
    TryAgain,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::HangUp | Signal::TryAgain => "SIGHUP",
        }
    }

    /// The code a shell reports for a program that the signal ended.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::HangUp | Signal::TryAgain => 129,
        }
    }
}

pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// `None`: ignored, as `nohup` expects.
    hang_up: Option<unix::Signal>,
    is_on_terminal: bool,
}

impl Signals {
    /// From here on the signals no longer end the process.
    pub(super) fn listen() -> Result<Signals, Cause> {
        let listen = |kind| {
            unix::signal(kind)
                .map_err(|error| Cause::new(format!("cannot listen for signals: {error}")))
        };
        let hang_up = if ignores_hang_up() {
            None
        } else {
            Some(listen(SignalKind::hangup())?)
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up,
            is_on_terminal: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
        })
    }

    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            () = hung_up(&mut self.hang_up) => {
                if self.is_on_terminal {
                    Signal::HangUp
                } else {
                    Signal::TryAgain
                }
            }
        }
    }
}

async fn hung_up(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Linux shows ignored signals in `/proc/self/status`, as a mask whose first bit is SIGHUP.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}
