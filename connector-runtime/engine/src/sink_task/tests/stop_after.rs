//! `stop_after` in a running task: whatever rejects the records, it stops before their letters are sent.

use super::EVERY;
use super::letters::{Lettered, run_lettered};
use super::*;

/// The limit counts what preparing rejected and what the sink refused, and trips before a letter of the refused is sent.
#[tokio::test(start_paused = true)]
async fn stop_after_counts_every_rejected_record_of_the_batch() {
    // (bad by the sink, rejected before, limit, letters that were delivered; `None`: it does not trip)
    let cases = [
        (vec![(0, 1), (1, 3)], vec![], 2, Some(0)),
        (vec![(0, 1), (1, 3)], vec![], 3, None),
        (vec![(1, 3)], vec![(0, 1)], 2, Some(1)),
        (vec![(1, 3), (0, 4)], vec![(0, 1)], 3, Some(1)),
        (vec![(1, 3)], vec![(0, 1)], 3, None),
        (EVERY.to_vec(), vec![], 10, Some(0)),
        (EVERY.to_vec(), vec![], 11, None),
    ];
    for (bad, rejected, rejects, letters) in cases {
        for says in [Says::Named, Says::Somewhere] {
            let what = format!("{bad:?} {rejected:?} {rejects} {says:?}");
            let case = Case {
                bad: bad.clone(),
                rejected: rejected.clone(),
                says,
                stop_after: StopAfter::Rejects {
                    rejects,
                    in_last: 100,
                },
                ..Case::default()
            };
            let Lettered { ran, stored, .. } = run_lettered(case, LetterTopic::default()).await;
            match (letters, ran.end) {
                (None, TaskEnd::Stopped) => {
                    assert_eq!(stored.len(), bad.len() + rejected.len(), "{what}");
                }
                (Some(letters), TaskEnd::Failed(text)) => {
                    assert!(text.contains("stop_after"), "{what}: {text}");
                    if says == Says::Named {
                        assert_eq!(stored.len(), letters, "{what}");
                    }
                }
                (_, end) => panic!("{what}: {end:?}"),
            }
            assert_eq!(accounted(ran.counters), 10, "{what}");
        }
    }
}

/// Preparing rejects some and the sink refuses others: the batch's first records are all bad only together.
#[tokio::test(start_paused = true)]
async fn a_connector_whose_first_records_are_all_rejected_stops() {
    // (bad by the sink, rejected before, first records that count, letters that were delivered; `None`: it goes on)
    let cases = [
        (vec![], EVERY.to_vec(), 10, Some(0)),
        (EVERY.to_vec(), vec![], 10, Some(0)),
        (EVERY[5..].to_vec(), EVERY[..5].to_vec(), 10, Some(5)),
        (EVERY[..3].to_vec(), vec![], 3, Some(0)),
        (vec![], EVERY[..3].to_vec(), 3, Some(0)),
        (EVERY[1..].to_vec(), vec![], 3, None),
        (vec![EVERY[0], EVERY[2]], vec![EVERY[9]], 3, None),
        (EVERY.to_vec(), vec![], 11, None),
    ];
    for (bad, rejected, first, letters) in cases {
        let what = format!("{bad:?} {rejected:?} {first}");
        let case = Case {
            bad: bad.clone(),
            rejected: rejected.clone(),
            stop_after: StopAfter::AllOfFirst(first),
            ..Case::default()
        };
        let Lettered { ran, stored, .. } = run_lettered(case, LetterTopic::default()).await;
        match (letters, ran.end) {
            (None, TaskEnd::Stopped) => {
                assert_eq!(stored.len(), bad.len() + rejected.len(), "{what}");
            }
            (Some(letters), TaskEnd::Failed(text)) => {
                assert_eq!(stored.len(), letters, "{what}");
                let said = match letters {
                    0 => "No dead letter was sent".to_owned(),
                    sent => format!("Dead letters sent before: {sent}"),
                };
                for part in [&said, &format!("all of the first {first} records")] {
                    assert!(text.contains(part), "{what}: {part}: {text}");
                }
                assert!(ran.rows.is_empty(), "{what}: {:?}", ran.rows);
            }
            (_, end) => panic!("{what}: {end:?}"),
        }
        assert_eq!(accounted(ran.counters), 10, "{what}");
    }
}

/// Of ten records the first and the last are refused, by one write or by several: no three in a row hold two.
#[tokio::test(start_paused = true)]
async fn a_refusal_counts_where_its_record_was_read() {
    let ends = vec![EVERY[0], EVERY[9]];
    for (in_last, trips) in [(3, false), (10, true)] {
        for says in [Says::Named, Says::Somewhere] {
            let case = Case {
                bad: ends.clone(),
                says,
                stop_after: StopAfter::Rejects {
                    rejects: 2,
                    in_last,
                },
                ..Case::default()
            };
            let Lettered { ran, .. } = run_lettered(case, LetterTopic::default()).await;
            let is_tripped =
                matches!(&ran.end, TaskEnd::Failed(text) if text.contains("stop_after"));
            assert_eq!(is_tripped, trips, "{in_last} {says:?}: {:?}", ran.end);
        }
    }
}
