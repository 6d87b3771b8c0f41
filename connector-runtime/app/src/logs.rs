//! Log lines: one an event, as text or as JSON.

use std::io;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::LogFormat;
use crate::screen::Screen;

/// Sends the events of this process to the screen. `RUST_LOG` says which; without it those of `level` and above.
pub(crate) fn start(format: LogFormat, level: LevelFilter, screen: Arc<Screen>) {
    // PostgreSQL's notices, such as "already exists, skipping" of a migration, are not news.
    let libraries = level.min(LevelFilter::WARN);
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},sqlx={libraries}")));
    let colour = screen.has_colour();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines(screen));
    // Text and JSON are two types. Escape sequences in fields are escaped by both.
    let started = match format {
        LogFormat::Text => builder
            .with_target(false)
            .with_ansi(colour)
            .finish()
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
    // Somebody has set one before us, such as a test: theirs stays.
    drop(started);
    // A panic is caught where it can be; either way it is told like everything else, not into the middle of the table.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(event = "panicked", "{panic}")
    }));
}

/// Writes each line above the table.
struct Lines(Arc<Screen>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Screen);

impl io::Write for Line<'_> {
    /// The subscriber hands over whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.say(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
