//! What goes wrong in a plugin, where, and until when. Each time is a line in a file, so that a test knows it has begun.

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
    /// Which call goes wrong.
    at: Call,
    how: How,
    /// Only where this record is: its key. Without it, always.
    record: Option<String>,
    /// Nothing goes wrong once this file is gone. Beside it, with `.struck` behind its name, is a line for each time.
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
    /// It waits as one may wait in an async function.
    Hang,
    /// It never gives its thread back.
    Loop,
    /// A write blames a record that is not in its batch.
    Blame,
}

/// In an async call that has these records before it.
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

/// Whether a write that has these records before it blames what it was not asked to write.
pub(crate) fn blames(troubles: &[Trouble], keys: &[&[u8]]) -> bool {
    let mut due = troubles
        .iter()
        .filter(|trouble| trouble.how == How::Blame && trouble.is_due(Call::Write, keys));
    due.next()
        .inspect(|trouble| trouble.leave_trace())
        .is_some()
}

/// In a call that cannot wait.
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
            panic!("a panic made up by a test");
        }
        while self.lasts() {
            // Only the thread is kept: what is tried is who waits for it, not how the system shares out its processors.
            #[expect(
                clippy::disallowed_methods,
                reason = "a plugin that should not be written so"
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
