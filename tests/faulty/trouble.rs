//! A fault of a plugin: where, how and until when. Each occurrence adds a line to a file, so that a test sees it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// `troubles = [{ at = "write", how = "panic", record = "payment-300", while_exists = "/path/of/a/file" }]`
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trouble {
    /// The call with the fault.
    at: Call,
    how: How,
    /// Only for the record with this key. Without it, always.
    record: Option<String>,
    /// The fault ends when this file is deleted. The file with `.struck` appended gets a line per occurrence.
    while_exists: String,
}

/// A call of a plugin.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Open,
    Write,
    Flush,
    Apply,
    Poll,
    Commit,
    Close,
}

/// What a call does instead of its work.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    Panic,
    /// It waits asynchronously, as allowed.
    Hang,
    /// It never returns its thread.
    Loop,
    /// A write refuses a record outside its batch.
    Blame,
}

/// Applies faults in an async call with these records.
pub(crate) async fn strike(troubles: &[Trouble], at: Call, keys: &[&[u8]]) {
    const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);
    for trouble in troubles.iter().filter(|trouble| trouble.is_due(at, keys)) {
        match trouble.how {
            How::Panic | How::Loop => trouble.strike(),
            How::Blame => {}
            How::Hang => {
                trouble.leave_trace();
                while trouble.lasts() {
                    tokio::time::sleep(ASK_AGAIN_AFTER).await;
                }
            }
        }
    }
}

/// Whether a write with these records refuses one outside its batch.
pub(crate) fn blames(troubles: &[Trouble], keys: &[&[u8]]) -> bool {
    let mut due = troubles
        .iter()
        .filter(|trouble| trouble.how == How::Blame && trouble.is_due(Call::Write, keys));
    due.next()
        .inspect(|trouble| trouble.leave_trace())
        .is_some()
}

/// Applies faults in a call that cannot wait.
pub(crate) fn strike_now(troubles: &[Trouble], at: Call, keys: &[&[u8]]) {
    let mut due = troubles.iter().filter(|trouble| trouble.is_due(at, keys));
    if let Some(trouble) = due.next() {
        trouble.strike();
    }
}

impl Trouble {
    fn strike(&self) {
        self.leave_trace();
        if self.how == How::Panic {
            panic!("a panic caused by the test");
        }
        while self.lasts() {
            // It only keeps the thread. The test is about those who wait for the thread, not about how the system
            // schedules.
            #[expect(
                clippy::disallowed_methods,
                reason = "a plugin with a fault on purpose"
            )]
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_due(&self, at: Call, keys: &[&[u8]]) -> bool {
        let is_here = match &self.record {
            Some(record) => keys.contains(&record.as_bytes()),
            None => true,
        };
        at == self.at && is_here && self.lasts()
    }

    fn leave_trace(&self) {
        let trace = format!("{}.struck", self.while_exists);
        let file = File::options().create(true).append(true).open(&trace);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "struck")) {
            panic!("{trace}: {error}");
        }
    }

    fn lasts(&self) -> bool {
        Path::new(&self.while_exists).exists()
    }
}
