//! The terminal output of `run`: permanent lines, and below them a table that is redrawn in place.
//!
//! All output goes through one [`Screen`], so that a log line never lands in the middle of the table.

mod rates;
mod table;
mod text;

use std::io::{self, IsTerminal, Write};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{self, Clear, ClearType};
use parking_lot::{Mutex, MutexGuard};

pub(crate) use rates::Rates;
#[cfg(test)]
pub(crate) use table::tests::status as idle_status;
pub(crate) use table::{Phase, View, render};
pub(crate) use text::{grouped, seconds};

#[derive(Clone, Copy, Debug)]
pub(crate) struct TerminalSize {
    pub(crate) columns: usize,
    pub(crate) lines: usize,
}

/// Standard error, and the lines of it that may be redrawn.
pub(crate) struct Screen {
    live: bool,
    colour: bool,
    table: Mutex<Vec<String>>,
}

impl Screen {
    /// `live`: shows the table if this is a terminal that can move its cursor.
    pub(crate) fn new(live: bool) -> Screen {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal() && set("TERM").is_none_or(|term| term != "dumb");
        Screen {
            live: live && terminal,
            colour: terminal && set("NO_COLOR").is_none(),
            table: Mutex::default(),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    pub(crate) fn has_colour(&self) -> bool {
        self.colour
    }

    /// The part of the terminal to draw on.
    pub(crate) fn size(&self) -> TerminalSize {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        // The cursor is below the table, and a full last line would scroll.
        TerminalSize {
            columns: usize::from(columns),
            lines: usize::from(lines).saturating_sub(1),
        }
    }

    /// Replaces the table.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        let mut table = self.table();
        let _ = change(&mut table, lines, &[]);
    }

    /// Leaves the table as it is: further output is written below it.
    pub(crate) fn keep(&self) {
        self.table().clear();
    }

    /// Writes permanent lines above the table.
    pub(crate) fn say(&self, text: &[u8]) -> io::Result<()> {
        let mut table = self.table();
        let lines = table.clone();
        change(&mut table, lines, text)
    }

    fn table(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic while drawing leaves at worst a table that is drawn twice.
        self.table.lock()
    }

    /// Writes one permanent line.
    pub(crate) fn line(&self, line: &str) {
        let _ = self.say(format!("{line}\n").as_bytes());
    }
}

/// The lines that the table occupies now: a terminal that became narrower breaks lines that fitted before.
fn height_of(table: &[String], columns: usize) -> usize {
    let columns = columns.max(1);
    let lines = table.iter().map(|line| text::visible_width(line));
    lines.map(|width| width.div_ceil(columns).max(1)).sum()
}

/// Erases the old table, writes `text` and draws the new table, in one piece.
fn change(table: &mut Vec<String>, lines: Vec<String>, text: &[u8]) -> io::Result<()> {
    let mut output = Vec::new();
    let columns = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    if let Ok(drawn @ 1..) = u16::try_from(height_of(table, columns)) {
        queue!(
            output,
            MoveUp(drawn),
            MoveToColumn(0),
            Clear(ClearType::FromCursorDown)
        )?;
    }
    output.write_all(text)?;
    for line in &lines {
        output.write_all(line.as_bytes())?;
        output.write_all(b"\n")?;
    }
    *table = lines;
    let mut stderr = io::stderr().lock();
    stderr.write_all(&output)?;
    stderr.flush()
}
