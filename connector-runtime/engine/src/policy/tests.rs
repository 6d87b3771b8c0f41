//! Every failure at every stage under every setting of `[errors]`.

use connect_api::RejectedRecord;

use super::*;
use connect_config::Discard;

const DELAY: Duration = Duration::from_millis(100);

const STAGES: [Stage; 9] = [
    Stage::Open,
    Stage::Resume,
    Stage::FetchSchema,
    Stage::Prepare,
    Stage::Write,
    Stage::Flush,
    Stage::DeadLetters,
    Stage::Poll,
    Stage::Publish,
];

fn failures() -> [(&'static str, Failure); 6] {
    let cause = || Cause::new("what happened");
    let refusal = RejectedRecord {
        record: 0,
        cause: cause(),
    };
    [
        ("retry", Failure::Retry(cause())),
        ("refused", Failure::Refused(vec![refusal])),
        ("somewhere", Failure::RefusedSomewhere(cause())),
        ("too much", Failure::TooMuch(cause())),
        ("superseded", Failure::Superseded(cause())),
        ("fatal", Failure::Fatal(cause())),
    ]
}

/// `[errors]` as it can be written.
fn settings() -> [(&'static str, ErrorsConfig); 3] {
    let errors = |tolerance, topic: Option<&str>, dead_letter| ErrorsConfig {
        tolerance,
        dead_letter_topic: topic.map(str::to_owned),
        dead_letter,
        ..ErrorsConfig::default()
    };
    [
        ("none", errors(Tolerance::None, None, None)),
        ("letters", errors(Tolerance::All, Some("dlq"), None)),
        (
            "discard",
            errors(Tolerance::All, None, Some(Discard::Discard)),
        ),
    ]
}

fn word(directive: &Directive) -> &'static str {
    match directive {
        Directive::RetryIn(delay) => {
            assert_eq!(*delay, DELAY);
            "retry"
        }
        Directive::Halve => "halve",
        Directive::DeadLetter => "letter",
        Directive::Discard => "discard",
        Directive::StopBefore => "stop",
        Directive::GiveBack => "give back",
        Directive::End(end) => {
            assert!(text_of(end).contains("what happened"), "{end:?}");
            "fail"
        }
    }
}

/// Of an end that a person must look at.
fn text_of(end: &TaskEnd) -> String {
    match end {
        TaskEnd::Failed(text) => text.clone(),
        TaskEnd::Unready(cause) => cause.to_string(),
        other => unreachable!("{other:?}"),
    }
}

/// What the table says, without a look at the code: one line a stage, one column a failure. `reject` stands for what
/// `[errors]` says of a bad record.
fn expected(stage: Stage, failure: &str, records: usize) -> &'static str {
    let row = match stage {
        Stage::Open | Stage::Resume | Stage::FetchSchema | Stage::DeadLetters | Stage::Poll => {
            ["retry", "fail", "fail", "retry", "retry", "fail"]
        }
        Stage::Prepare => ["retry", "reject", "reject", "retry", "retry", "fail"],
        Stage::Write => match records {
            0 => ["retry", "reject", "fail", "retry", "give back", "fail"],
            1 => ["retry", "reject", "reject", "retry", "give back", "fail"],
            _ => ["retry", "reject", "halve", "halve", "give back", "fail"],
        },
        Stage::Flush | Stage::Publish => ["retry", "fail", "fail", "retry", "give back", "fail"],
    };
    let columns = [
        "retry",
        "refused",
        "somewhere",
        "too much",
        "superseded",
        "fatal",
    ];
    let mut cells = columns.into_iter().zip(row);
    cells.find(|(column, _)| *column == failure).unwrap().1
}

#[test]
fn every_failure_at_every_stage_under_every_setting() {
    let mut checked = 0;
    for (setting, errors) in settings() {
        let reject = match setting {
            "none" => "stop",
            "letters" => "letter",
            _ => "discard",
        };
        for stage in STAGES {
            for (name, failure) in failures() {
                for records in [0, 1, 2, 5_000] {
                    let attempts = Attempts {
                        next_delay: DELAY,
                        records,
                        ..Attempts::default()
                    };
                    let directive = decide(stage, &failure, &errors, &attempts);
                    let expected = match expected(stage, name, records) {
                        "reject" => reject,
                        other => other,
                    };
                    let what = format!("{stage:?}, {name}, {records} records, {setting}");
                    assert_eq!(word(&directive), expected, "{what}");
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 3 * 9 * 6 * 4);
}

/// P4: no outage ends in a dead letter, a discarded record or a stop, however often it comes.
#[test]
fn an_outage_is_waited_out_whatever_was_tried() {
    for (setting, mut errors) in settings() {
        errors.stop_after = StopAfter::Rejects {
            rejects: 1,
            in_last: 1,
        };
        for stage in STAGES {
            for lately in [0, 1, 1_000_000] {
                let attempts = Attempts {
                    next_delay: DELAY,
                    records: lately,
                    rejected: lately,
                    settled: 0,
                    superseded_lately: lately,
                };
                let outage = Failure::Retry(Cause::new("away"));
                let directive = decide(stage, &outage, &errors, &attempts);
                assert_eq!(directive, Directive::RetryIn(DELAY), "{stage:?} {setting}");
            }
        }
    }
}

#[test]
fn stop_after_ends_a_tolerant_connector_at_its_limit() {
    let refused = Failure::Refused(vec![RejectedRecord {
        record: 0,
        cause: Cause::new("the last reason"),
    }]);
    let window = StopAfter::Rejects {
        rejects: 3,
        in_last: 10,
    };
    let first = StopAfter::AllOfFirst(3);
    // (limit, setting, rejected of those that it counts, what becomes of the record)
    let cases = [
        (window, "letters", 2, "letter"),
        (window, "letters", 3, "fail"),
        (window, "letters", 5_000, "fail"),
        (window, "discard", 2, "discard"),
        (window, "discard", 3, "fail"),
        (window, "none", 1, "stop"),
        (window, "none", 3, "stop"),
        (first, "letters", 2, "letter"),
        (first, "letters", 3, "fail"),
        (first, "discard", 2, "discard"),
        (first, "discard", 3, "fail"),
        (first, "none", 3, "stop"),
        (StopAfter::Never, "letters", 5_000, "letter"),
        (StopAfter::Never, "discard", 5_000, "discard"),
        (StopAfter::default(), "letters", 99, "letter"),
        (StopAfter::default(), "letters", 100, "fail"),
    ];
    for (limit, setting, rejected, expected) in cases {
        let mut known = settings().into_iter();
        let mut errors = known.find(|(name, _)| *name == setting).unwrap().1;
        errors.stop_after = limit;
        let attempts = Attempts {
            records: 1,
            rejected,
            ..Attempts::default()
        };
        for stage in [Stage::Prepare, Stage::Write] {
            let directive = decide(stage, &refused, &errors, &attempts);
            let what = format!("{stage:?}, {limit:?}, {setting}, {rejected}");
            match directive {
                Directive::End(end) => {
                    assert_eq!(expected, "fail", "{what}");
                    for part in ["stop_after", "the last reason", "start the connector again"] {
                        assert!(text_of(&end).contains(part), "{part}: {end:?}");
                    }
                }
                other => assert_eq!(word(&other), expected, "{what}"),
            }
        }
    }
}

#[test]
fn the_end_by_stop_after_says_how_many_records_were_settled_and_what_to_write() {
    let refused = Failure::RefusedSomewhere(Cause::new("not JSON"));
    // (setting, settled before, parts of the text)
    let cases = [
        ("letters", 0, "No dead letter was sent;"),
        ("letters", 40, "Dead letters sent before: 40;"),
        ("discard", 0, "No record was discarded;"),
        ("discard", 40, "Records discarded before: 40;"),
    ];
    for (setting, settled, part) in cases {
        let mut known = settings().into_iter();
        let errors = known.find(|(name, _)| *name == setting).unwrap().1;
        let attempts = Attempts {
            records: 1,
            rejected: 100,
            settled,
            ..Attempts::default()
        };
        let Directive::End(end) = decide(Stage::Prepare, &refused, &errors, &attempts) else {
            unreachable!("{setting} goes on");
        };
        for part in [
            part,
            "first 100 records",
            "not JSON",
            "stop_after = \"never\"",
        ] {
            assert!(text_of(&end).contains(part), "{part}: {end:?}");
        }
    }
}

#[test]
fn five_superseded_batches_within_a_minute_are_two_groups() {
    let errors = ErrorsConfig::default();
    let superseded = Failure::Superseded(Cause::new("epoch 7, expected 6"));
    let words: Vec<&str> = (0..6)
        .map(|superseded_lately| {
            let attempts = Attempts {
                superseded_lately,
                ..Attempts::default()
            };
            match decide(Stage::Write, &superseded, &errors, &attempts) {
                Directive::End(end) => {
                    assert!(text_of(&end).contains("two groups share this progress"));
                    "fail"
                }
                other => word(&other),
            }
        })
        .collect();
    let give_back = "give back";
    assert_eq!(
        words,
        [give_back, give_back, give_back, give_back, "fail", "fail"]
    );
}
