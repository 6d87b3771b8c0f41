//! The table as lines of text: a pure function of the statuses.

use connect_engine::{ConnectorState, ConnectorStatus, LaneStatus};
use crossterm::style::{Color, Stylize};

use super::TerminalSize;
use super::rates::Rate;
use super::text::{clean, grouped, span, wrap};

const NONE: &str = "–";
const GAP: &str = "  ";

/// How the table is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) size: TerminalSize,
    pub(crate) colour: bool,
    /// Milliseconds since 1970.
    pub(crate) now_ms: i64,
    pub(crate) phase: Phase,
}

/// The phase of the run, which determines the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// A stop was requested.
    Draining,
    Ended,
}

/// One connector per line, cut to the width, those that need attention first; below them the reasons of the waiting
/// and failed ones; never more lines than available.
pub(crate) fn render(statuses: &[ConnectorStatus], rates: &[Rate], view: View) -> Vec<String> {
    let TerminalSize {
        columns: width,
        lines: height,
    } = view.size;
    let mut known: Vec<(&ConnectorStatus, Rate)> = statuses
        .iter()
        .zip(
            rates
                .iter()
                .copied()
                .chain(std::iter::repeat(Rate::default())),
        )
        .collect();
    known.sort_by_key(|(status, _)| urgency(status.state));
    let mut rows = vec![Row::head()];
    for (status, rate) in &known {
        rows.push(Row::of(status, *rate));
        if status.lanes.len() > 1 {
            rows.extend(status.lanes.iter().map(|lane| Row::of_lane(status, lane)));
        }
    }
    let widths = fitting(widths(&rows), width);

    let mut lines = vec![String::new()];
    lines.extend(rows.iter().map(|row| row.line(&widths, width, view.colour)));
    for (status, _) in &known {
        lines.extend(reason_lines(status, width, view.now_ms));
    }
    // The foot is always shown: if space is short, the lines above it are cut.
    let hint = match view.phase {
        Phase::Running => Some("  ctrl-c drains and stops, twice stops at once"),
        Phase::Draining => Some("  draining; ctrl-c stops at once"),
        Phase::Ended => None,
    };
    let foot: Vec<String> = [summary(&known), hint.map(str::to_owned)]
        .into_iter()
        .flatten()
        .map(|line| cut(&line, width))
        .collect();
    let room = height.saturating_sub(foot.len());
    if lines.len() > room {
        let hidden = lines.len() + 1 - room.max(1);
        lines.truncate(room.saturating_sub(1));
        lines.push(cut(&format!("  … {hidden} more lines"), width));
    }
    lines.extend(foot);
    lines.truncate(height);
    lines
}

/// The states that need attention come first.
fn urgency(state: ConnectorState) -> u8 {
    match state {
        ConnectorState::Failed => 0,
        ConnectorState::Restarting => 1,
        ConnectorState::Waiting => 2,
        ConnectorState::Running | ConnectorState::Unassigned | ConnectorState::Stopped => 3,
    }
}

/// `40 connectors: 1 FAILED, 2 WAITING, 37 RUNNING · 50 in/s · 173 rows/s · lag 4`, for more than one connector.
fn summary(known: &[(&ConnectorStatus, Rate)]) -> Option<String> {
    if known.len() < 2 {
        return None;
    }
    let mut counts: Vec<(ConnectorState, usize)> = Vec::new();
    for (status, _) in known {
        match counts.iter_mut().find(|(state, _)| *state == status.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((status.state, 1)),
        }
    }
    let counts = counts
        .iter()
        .map(|(state, count)| format!("{count} {}", state.as_str()));
    let sum = |rate: fn(&Rate) -> f64| {
        grouped(known.iter().map(|(_, one)| rate(one)).sum::<f64>().round() as u64)
    };
    let lags = known.iter().filter_map(|(status, _)| status.lag_records());
    let lag = lags.reduce(|sum, lag| sum + lag);
    let lag = lag.map_or_else(String::new, |lag| format!(" · lag {}", grouped(lag)));
    Some(format!(
        "  {} connectors: {} · {} in/s · {} rows/s{lag}",
        known.len(),
        counts.collect::<Vec<_>>().join(", "),
        sum(|rate| rate.consumed),
        sum(|rate| rate.written),
    ))
}

/// The cells of one line.
struct Row {
    cells: [String; 7],
    state: Option<ConnectorState>,
}

const STATE_CELL: usize = 1;
/// Text is left-aligned, numbers are right-aligned.
const FIRST_NUMBER: usize = 3;

impl Row {
    fn head() -> Row {
        let cells = [
            "connector",
            "state",
            "guarantee",
            "in/s",
            "rows/s",
            "lag",
            "rejected",
        ];
        Row {
            cells: cells.map(str::to_owned),
            state: None,
        }
    }

    fn of(status: &ConnectorStatus, rate: Rate) -> Row {
        let per_second = |rate: f64| {
            if status.state == ConnectorState::Running {
                grouped(rate.round() as u64)
            } else {
                NONE.to_owned()
            }
        };
        let cells = [
            clean(&status.name),
            status.state.as_str().to_owned(),
            status.guarantee.to_string(),
            per_second(rate.consumed),
            per_second(rate.written),
            status
                .lag_records()
                .map_or_else(|| NONE.to_owned(), grouped),
            grouped(status.counters.dead_lettered),
        ];
        Row {
            cells,
            state: Some(status.state),
        }
    }

    /// One of several sinks, below its connector. The rates are the connector's, because a record goes to every sink
    /// at once.
    fn of_lane(status: &ConnectorStatus, lane: &LaneStatus) -> Row {
        let is_waiting = status.state == ConnectorState::Waiting && lane.reason.is_some();
        let state = if is_waiting {
            ConnectorState::Waiting
        } else {
            ConnectorState::Running
        };
        let cells = [
            format!("{GAP}{}", clean(&lane.name)),
            if is_waiting { state.as_str() } else { "" }.to_owned(),
            lane.guarantee.to_string(),
            String::new(),
            String::new(),
            String::new(),
            grouped(lane.counters.dead_lettered),
        ];
        Row {
            cells,
            state: Some(state),
        }
    }

    /// Only problems are coloured.
    fn colour(&self) -> Option<Color> {
        match self.state? {
            ConnectorState::Failed => Some(Color::Red),
            ConnectorState::Restarting | ConnectorState::Waiting => Some(Color::Yellow),
            _ => None,
        }
    }

    fn line(&self, widths: &[Option<usize>], width: usize, colour: bool) -> String {
        let mut line = String::new();
        let mut room = width;
        for (index, (cell, cell_width)) in self.cells.iter().zip(widths).enumerate() {
            let Some(cell_width) = *cell_width else {
                continue;
            };
            let padded = if index < FIRST_NUMBER {
                format!("{GAP}{cell:cell_width$}")
            } else {
                format!("{GAP}{cell:>cell_width$}")
            };
            let shown = cut(&padded, room);
            room -= shown.chars().count();
            match self.colour() {
                Some(mark) if colour && index == STATE_CELL => {
                    line.push_str(&shown.with(mark).to_string());
                }
                _ => line.push_str(&shown),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The widest cell of each column.
fn widths(rows: &[Row]) -> Vec<usize> {
    let columns = rows.first().map_or(0, |row| row.cells.len());
    let mut widths = vec![0; columns];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// Drops columns that a narrow terminal has no room for: the guarantee first, the lag and the rejects never.
fn fitting(widths: Vec<usize>, width: usize) -> Vec<Option<usize>> {
    /// Guarantee, rows/s, in/s.
    const LESS_IMPORTANT: [usize; 3] = [2, 4, 3];
    let mut kept: Vec<Option<usize>> = widths.into_iter().map(Some).collect();
    for column in LESS_IMPORTANT {
        let total: usize = kept.iter().flatten().map(|cell| GAP.len() + cell).sum();
        if total <= width {
            break;
        }
        if let Some(cell) = kept.get_mut(column) {
            *cell = None;
        }
    }
    kept
}

/// Why a connector waits or ended, since when, and when it is retried.
fn reason_lines(status: &ConnectorStatus, width: usize, now_ms: i64) -> Vec<String> {
    let Some(reason) = &status.reason else {
        return Vec::new();
    };
    let text = clean(reason.text.trim_end());
    let mut text = text.lines();
    let mut first = format!(
        "  {}: {}",
        clean(&status.name),
        text.next().unwrap_or_default()
    );
    let seconds = |from: i64, to: i64| span(u64::try_from((to - from) / 1_000).unwrap_or(0));
    let since = format!("since {}", seconds(reason.since_ms, now_ms));
    let again = reason.retry_at_ms.filter(|again| *again > now_ms);
    match again.map(|again| seconds(now_ms, again + 999)) {
        // The log has the start time.
        Some(again) if status.state == ConnectorState::Failed => {
            first.push_str(&format!(" (again in {again})"));
        }
        None if status.state == ConnectorState::Failed => {}
        Some(again) => first.push_str(&format!(" ({since}, again in {again})")),
        None => first.push_str(&format!(" ({since})")),
    }
    let mut lines = wrap(&first, width, 4);
    for line in text {
        lines.extend(wrap(&format!("    {line}"), width, 6));
    }
    lines
}

/// At most `width` characters; the last one shows whether more were cut off.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
pub(super) mod tests;
