//! Log lines: one per event, as text or as JSON.
//!
//! Fields contain foreign text: messages of triggers and registries, keys, names. In both formats it is escaped, so
//! that it neither controls a terminal nor ends a line. `docs/events.md` lists the events.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use connect_api::text::{is_printable, printable};
use tracing::Subscriber;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::arguments::LogFormat;
use crate::screen::Screen;

/// Sends the events of this process to the screen. `RUST_LOG` selects them; by default those of `level` and above.
pub(crate) fn start(format: LogFormat, level: LevelFilter, screen: Arc<Screen>) {
    // We drop PostgreSQL's notices, such as "already exists, skipping" of a migration, because they carry no news.
    let libraries = level.min(LevelFilter::WARN);
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},sqlx={libraries}")));
    let colour = screen.has_colour();
    let subscriber = subscriber(
        format,
        filter,
        colour,
        Arc::new(move |line| screen.say(line)),
    );
    // A subscriber that exists already, such as a test's, stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
    // A panic is caught where possible, and always logged as an event instead of printed into the table.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(event = "panicked", "{panic}")
    }));
}

/// Receives whole lines.
type Output = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

fn subscriber(
    format: LogFormat,
    filter: EnvFilter,
    colour: bool,
    output: Output,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines { format, output });
    // Text and JSON have different types.
    match format {
        LogFormat::Text => Box::new(
            builder
                .with_target(false)
                .with_ansi(colour)
                .fmt_fields(debug_fn(write_field).delimited(" "))
                .finish(),
        ),
        LogFormat::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .finish(),
        ),
    }
}

/// `name=value`, and the message without its name. The subscriber's own formatter would escape the message only.
fn write_field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = printable(&text);
    let name = field.name();
    if name == "message" {
        out.write_str(&text)
    } else if out.has_ansi_escapes() {
        write!(out, "{DIM_ITALIC}{name}{RESET}{DIM}={RESET}{text}")
    } else {
        write!(out, "{name}={text}")
    }
}

const DIM: &str = "\u{1b}[2m";
const DIM_ITALIC: &str = "\u{1b}[2;3m";
const RESET: &str = "\u{1b}[0m";

struct Lines {
    format: LogFormat,
    output: Output,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

struct Line<'a>(&'a Lines);

impl io::Write for Line<'_> {
    /// The subscriber passes whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.format {
            LogFormat::Text => (self.0.output)(line)?,
            LogFormat::Json => {
                let line = String::from_utf8_lossy(line);
                (self.0.output)(&escaped_json(&with_array(&line)))?;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The beginning of the only field that is a list.
const LIST: &str = "\"partitions\":\"";

/// Turns `partitions` into an array. Its elements are topic names and numbers, so nothing in them is escaped.
/// `tracing` has no lists, so the event joins them with `, `. A quote inside another field's text is preceded by a
/// backslash, so [`LIST`] is found only where the field begins.
fn with_array(line: &str) -> Cow<'_, str> {
    let array = line.split_once(LIST).and_then(|(before, rest)| {
        let (list, after) = rest.split_once('"')?;
        let elements = list.replace(", ", "\",\"");
        Some(format!("{before}\"partitions\":[\"{elements}\"]{after}"))
    });
    array.map_or(Cow::Borrowed(line), Cow::Owned)
}

/// JSON itself escapes only the control characters below U+0020.
fn escaped_json(line: &str) -> Vec<u8> {
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        if character == '\n' || is_printable(character) {
            out.push(character);
        } else {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    out.into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    fn logged(format: LogFormat, colour: bool, log: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = lines.clone();
        let output: Output = Arc::new(move |line| {
            output.lock().extend_from_slice(line);
            Ok(())
        });
        let subscriber = subscriber(format, EnvFilter::new("info"), colour, output);
        tracing::subscriber::with_default(subscriber, log);
        let lines = lines.lock().clone();
        String::from_utf8(lines).unwrap()
    }

    const HOSTILE: &str =
        "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n2026-11-27 ERROR forged \u{9b}31m\u{202e}";

    fn hostile() {
        let error = std::io::Error::other(HOSTILE);
        tracing::warn!(event = "batch_retried", cause = %error, key = HOSTILE, found = ?HOSTILE, "said {HOSTILE}");
    }

    #[test]
    fn no_field_moves_the_cursor_or_forges_a_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, false, hostile);
            let line = text.strip_suffix('\n').unwrap();
            assert!(line.chars().all(is_printable), "{format:?}: {line:?}");
        }
        let text = logged(LogFormat::Json, false, hostile);
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["cause"], HOSTILE);
        assert_eq!(event["key"], HOSTILE);
    }

    #[test]
    fn partitions_are_an_array_in_json_and_a_list_in_text() {
        let hostile = r#"x","partitions":"y"#;
        let log = |list: &'static str| move || tracing::info!(event = "partitions_assigned", cause = hostile, partitions = %list, task = 0);
        let cases: [(&str, &[&str]); 2] = [
            ("a.b/0", &["a.b/0"]),
            ("a.b/0, a.b/1, c_d-e/12", &["a.b/0", "a.b/1", "c_d-e/12"]),
        ];
        for (list, expected) in cases {
            let text = logged(LogFormat::Json, false, log(list));
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(event["partitions"], serde_json::json!(expected), "{text}");
            assert_eq!(event["cause"], hostile);
            assert_eq!(event["task"], 0);
            let text = logged(LogFormat::Text, false, log(list));
            assert!(
                text.contains(&format!(" partitions={list} task=0\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_look_like_those_of_the_subscriber() {
        let log = || tracing::info!(event = "started", rows = 7, name = %"a b", "it runs");
        let text = logged(LogFormat::Text, false, log);
        let (_, line) = text.split_once("INFO").unwrap();
        assert_eq!(line, " it runs event=\"started\" rows=7 name=a b\n");
        let coloured = logged(LogFormat::Text, true, log);
        let name = format!("{DIM_ITALIC}rows{RESET}{DIM}={RESET}7");
        assert!(coloured.contains(&name), "{coloured:?}");
    }
}
