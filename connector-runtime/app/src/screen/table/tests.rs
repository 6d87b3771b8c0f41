use connect_api::Guarantee;
use connect_engine::{Counters, PartitionStatus, Reason};
use insta::assert_snapshot;

use super::*;

/// A running connector without records.
pub(crate) fn status(name: &str) -> ConnectorStatus {
    ConnectorStatus {
        name: name.into(),
        kind: "sink",
        plugin: "postgres",
        state: ConnectorState::Running,
        reason: None,
        guarantee: Guarantee::ExactlyOnce,
        tasks: 1,
        counters: Counters::default(),
        partitions: vec![lagging(0)],
        last_commit_ms: None,
        batch_seconds: Default::default(),
        end_to_end_seconds: Default::default(),
        lanes: Vec::new(),
        fingerprint: Default::default(),
        differs: false,
        rejections: Default::default(),
    }
}

fn lagging(records: u64) -> PartitionStatus {
    PartitionStatus {
        topic: "PointOfSale".into(),
        partition: 0,
        task: Some(0),
        position: None,
        end: None,
        lag_records: Some(records),
        lag_seconds: None,
    }
}

fn first_minute() -> Vec<ConnectorStatus> {
    let mut simulator = status("pos-simulator");
    simulator.guarantee = Guarantee::OnceFromPoll;
    simulator.partitions.clear();
    let mut sales = status("pos-to-postgres");
    sales.partitions = vec![lagging(81_214)];
    sales.counters.dead_lettered = 3;
    let mut users = status("random-user");
    users.guarantee = Guarantee::OnceFromPoll;
    users.partitions.clear();
    users.state = ConnectorState::Waiting;
    users.reason = Some(Reason {
        code: "source",
        text: "randomuser.me does not answer (dns); offline = \"generate\" makes users up".into(),
        since_ms: 0,
        retry_at_ms: Some(20_000),
    });
    vec![simulator, sales, users]
}

fn failed() -> ConnectorStatus {
    let mut failed = status("pos-to-postgres");
    failed.state = ConnectorState::Failed;
    failed.reason = Some(Reason {
        code: "failed",
        text: "stopped at the first bad record (errors.tolerance = \"none\")\n\
               record   PointOfSale partition 3 offset 81214, key \"9f1c\u{1b}[2J\"\n\
               found    -1"
            .into(),
        since_ms: 0,
        retry_at_ms: None,
    });
    failed
}

fn view(width: usize, height: usize) -> View {
    View {
        size: TerminalSize {
            columns: width,
            lines: height,
        },
        colour: false,
        now_ms: 12_000,
        phase: Phase::Running,
    }
}

fn picture(statuses: &[ConnectorStatus], view: View) -> String {
    let rates = [
        Rate {
            consumed: 50.2,
            written: 49.8,
        },
        Rate {
            consumed: 50.0,
            written: 12_480.0,
        },
        Rate::default(),
    ];
    let lines = render(statuses, &rates, view);
    let TerminalSize {
        columns: width,
        lines: height,
    } = view.size;
    assert!(lines.len() <= height, "{lines:?}");
    assert!(
        view.colour || lines.iter().all(|line| line.chars().count() <= width),
        "{lines:?}"
    );
    // The bar keeps the indent, which a snapshot would drop.
    lines
        .iter()
        .map(|line| format!("|{line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_first_minute() {
    assert_snapshot!(picture(&first_minute(), view(100, 30)), @r#"
    |
    |  connector        state    guarantee       in/s  rows/s     lag  rejected
    |  random-user      WAITING  once from poll     –       –       –         0
    |  pos-simulator    RUNNING  once from poll    50      50       –         0
    |  pos-to-postgres  RUNNING  exactly once      50  12 480  81 214         3
    |  random-user: randomuser.me does not answer (dns); offline = "generate" makes users up (since 12 s,
    |    again in 8 s)
    |  3 connectors: 1 WAITING, 2 RUNNING · 100 in/s · 12 530 rows/s · lag 81 214
    |  ctrl-c drains and stops, twice stops at once
    "#);
}

#[test]
fn narrow_and_low_terminals() {
    assert_snapshot!(picture(&first_minute(), view(40, 30)), @r#"
    |
    |  connector        state       lag  rej…
    |  random-user      WAITING       –     …
    |  pos-simulator    RUNNING       –     …
    |  pos-to-postgres  RUNNING  81 214     …
    |  random-user: randomuser.me does not
    |    answer (dns); offline = "generate"
    |    makes users up (since 12 s, again in
    |    8 s)
    |  3 connectors: 1 WAITING, 2 RUNNING · …
    |  ctrl-c drains and stops, twice stops …
    "#);
    assert_snapshot!(picture(&first_minute(), view(60, 6)), @r#"
    |
    |  connector        state    in/s  rows/s     lag  rejected
    |  random-user      WAITING     –       –       –         0
    |  … 4 more lines
    |  3 connectors: 1 WAITING, 2 RUNNING · 100 in/s · 12 530 ro…
    |  ctrl-c drains and stops, twice stops at once
    "#);
    for width in 8..60 {
        for height in 0..12 {
            picture(&first_minute(), view(width, height));
        }
    }
}

#[test]
fn connectors_that_need_attention_come_first() {
    let mut statuses: Vec<ConnectorStatus> = (0..38)
        .map(|number| status(&format!("c{number:02}")))
        .collect();
    statuses.push(failed());
    statuses.extend(first_minute().pop());
    let picture = picture(&statuses, view(80, 12));
    let line = |number: usize| picture.lines().nth(number).unwrap_or_default();
    assert!(line(2).contains("FAILED"), "{picture}");
    assert!(line(3).contains("WAITING"), "{picture}");
    let summary = "40 connectors: 1 FAILED, 1 WAITING, 38 RUNNING";
    assert!(line(10).contains(summary), "{picture}");
}

#[test]
fn a_failure_is_shown_completely_and_escaped() {
    assert_snapshot!(picture(&[failed()], view(80, 30)), @r#"
    |
    |  connector        state   guarantee     in/s  rows/s  lag  rejected
    |  pos-to-postgres  FAILED  exactly once     –       –    0         0
    |  pos-to-postgres: stopped at the first bad record (errors.tolerance = "none")
    |    record   PointOfSale partition 3 offset 81214, key "9f1c\u{1b}[2J"
    |    found    -1
    |  ctrl-c drains and stops, twice stops at once
    "#);
}

#[test]
fn other_states_and_stopping() {
    let states = [
        ConnectorState::Restarting,
        ConnectorState::Unassigned,
        ConnectorState::Stopped,
    ];
    let mut statuses: Vec<ConnectorStatus> = Vec::new();
    for state in states {
        let mut other = status(&state.as_str().to_lowercase());
        other.state = state;
        statuses.push(other);
    }
    let view = View {
        phase: Phase::Draining,
        ..view(100, 30)
    };
    assert_snapshot!(picture(&statuses, view), @r#"
    |
    |  connector   state       guarantee     in/s  rows/s  lag  rejected
    |  restarting  RESTARTING  exactly once     –       –    0         0
    |  unassigned  UNASSIGNED  exactly once     –       –    0         0
    |  stopped     STOPPED     exactly once     –       –    0         0
    |  3 connectors: 1 RESTARTING, 1 UNASSIGNED, 1 STOPPED · 100 in/s · 12 530 rows/s · lag 0
    |  draining; ctrl-c stops at once
    "#);
}

#[test]
fn only_what_is_wrong_has_a_colour() {
    let mut statuses = first_minute();
    statuses.push(failed());
    let view = View {
        colour: true,
        ..view(100, 30)
    };
    let marked: Vec<String> = render(&statuses, &[], view)
        .into_iter()
        .filter(|line| line.contains('\u{1b}'))
        .map(|line| line.replace('\u{1b}', "|ESC"))
        .collect();
    assert_snapshot!(marked.join("\n"), @r#"
    pos-to-postgres|ESC[38;5;9m  FAILED |ESC[39m  exactly once       –       –       0         0
    random-user    |ESC[38;5;11m  WAITING|ESC[39m  once from poll     –       –       –         0
    "#);
}

#[test]
fn what_stays_at_the_end_has_no_hint() {
    let view = View {
        phase: Phase::Ended,
        ..view(100, 30)
    };
    assert_snapshot!(picture(&[status("sales")], view), @r#"
    |
    |  connector  state    guarantee     in/s  rows/s  lag  rejected
    |  sales      RUNNING  exactly once    50      50    0         0
    "#);
}
