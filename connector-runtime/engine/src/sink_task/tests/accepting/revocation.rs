//! A flush before partitions are given back.

use super::*;

#[tokio::test(start_paused = true)]
async fn before_a_revocation_everything_accepted_is_durable_and_reported_when_the_answer_comes() {
    let mut running = start(Answers::default(), u64::MAX);
    running.send(0).await;
    // The reader asks behind a batch that is not written yet.
    consumed(&running.meters, 10);
    let prepared = shifted(batch(Generation::for_tests(1), &[]), 5);
    running
        .work
        .send(Work::Batch(Box::new(prepared)))
        .await
        .unwrap();
    running.flush().await.await.unwrap();
    assert_eq!(running.reported(), (both(10), false));
    assert_eq!(running.counters().delivered, 20);
    // Nothing is held any more: the next one has nothing to do.
    running.flush().await.await.unwrap();
    let (_, _, archive, _) = running.end().await;
    assert_eq!(archive.flushes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_fails_before_a_revocation_is_answered_at_once_and_waited_out_afterwards() {
    let mut running = start(Answers::default(), u64::MAX);
    running.archive.lock().unwrap().outages = 1;
    running.send(0).await;
    let asked = Instant::now();
    running.flush().await.await.unwrap();
    assert!(asked.elapsed() < Duration::from_millis(50));
    assert_eq!(running.reported(), (BTreeMap::new(), false));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(running.reported(), (BTreeMap::new(), true));
    let (_, durable, archive, counters) = running.end().await;
    assert_eq!((durable.len(), archive.finished.len()), (0, 0));
    assert_eq!(counters.given_back, 10);
}

#[tokio::test(start_paused = true)]
async fn a_flush_for_which_nobody_waits_any_more_is_left_out() {
    let running = start(Answers::default(), u64::MAX);
    running.send(0).await;
    drop(running.flush().await);
    settle().await;
    assert_eq!(running.archive.lock().unwrap().flushes.len(), 0);
    let (_, durable, _, _) = running.end().await;
    assert_eq!(durable, both(5));
}
