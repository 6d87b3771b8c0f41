//! Transactions, which the mock cluster only pretends to have. Needs a real Kafka.

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::real_kafka::{blocking, group_offset, numbered, settings, topic};
use super::*;

async fn transactional(settings: &ClientSettings, id: &str) -> TransactionalProducer {
    TransactionalProducer::open(settings, id, SOON)
        .await
        .unwrap()
}

async fn values(settings: &ClientSettings, topic: &str) -> Vec<String> {
    read_topic_to_end(settings, topic, 0, SOON)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, value)| String::from_utf8(value.unwrap().to_vec()).unwrap())
        .collect()
}

/// Five committed, five aborted by a successor with the same id, five committed: readers get ten, and the end of the
/// partition lies behind the markers.
#[tokio::test(flavor = "multi_thread")]
async fn aborted_records_never_come_and_markers_are_passed() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    let id = unique("id");
    let mut first = transactional(&settings, &id).await;
    first.run(numbered(&name, 0..5), None).await.unwrap();
    // Messages without end: the transaction is refused as a whole and aborted.
    let mut bad = numbered(&name, 5..10);
    bad.push(message(&name, "k", &"x".repeat(2_000_000)));
    let error = first.run(bad, None).await.unwrap_err();
    let TransactionError::Refused(refused) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, 5);
    assert!(!error.needs_new_producer());
    first.run(numbered(&name, 10..15), None).await.unwrap();
    let expected: Vec<String> = (0..5).chain(10..15).map(|n| n.to_string()).collect();
    assert_eq!(values(&settings, &name).await, expected);
    blocking(move || {
        let group = unique("g");
        let mut consumer = SinkConsumer::open(&settings, &options(&group, &[&name])).unwrap();
        assigned(&mut consumer, 1);
        start_all(&mut consumer, StartAt::Earliest);
        let only = partition(&name, 0);
        let high = consumer.watermarks(&only).unwrap().high;
        let mut last = None;
        let mut position = None;
        let (next, generation) = poll_until(&mut consumer, |event| match event {
            Event::Record { origin, .. } => {
                last = Some(origin.offset);
                None
            }
            Event::EndOfPartition {
                next, generation, ..
            } => Some((next, generation)),
            _ => None,
        });
        position.replace(next);
        assert_eq!(next, high, "the end lies behind the last marker");
        assert_eq!(last, Some(high - 2), "one marker after the last record");
        consumer.store(&[owned(only.clone(), next, generation)]);
        consumer.commit_and_wait().unwrap();
        assert_eq!(
            committed(&consumer, std::slice::from_ref(&only))[&only],
            Some(high)
        );
    })
    .await;
}

/// The successor's registration aborts what the predecessor left open, and the predecessor's next call is refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_newer_of_two_producers_with_one_id_wins() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    let id = unique("id");
    let mut old = transactional(&settings, &id).await;
    old.run(numbered(&name, 0..1), None).await.unwrap();
    let mut new = transactional(&settings, &id).await;
    let error = old.run(numbered(&name, 1..2), None).await.unwrap_err();
    assert!(matches!(error, TransactionError::Fenced(_)), "{error:?}");
    assert!(error.needs_new_producer());
    new.run(numbered(&name, 2..3), None).await.unwrap();
    assert_eq!(values(&settings, &name).await, ["0", "2"]);
    assert!(old.close(SOON) && new.close(SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_move_with_the_transaction_or_not_at_all() {
    let settings = settings();
    let source = topic(&settings, 1, &[]).await;
    let target = topic(&settings, 1, &[]).await;
    produce(&settings, &source, 0..10).await;
    let group = unique("g");
    let (consumer_settings, consumer_source, consumer_group) =
        (settings.clone(), source.clone(), group.clone());
    let (consumer, metadata) = blocking(move || {
        let options = options(&consumer_group, &[&consumer_source]);
        let mut consumer = SinkConsumer::open(&consumer_settings, &options).unwrap();
        assigned(&mut consumer, 1);
        start_all(&mut consumer, StartAt::Earliest);
        records(&mut consumer, 10);
        let metadata = consumer.group_metadata().unwrap();
        (consumer, metadata)
    })
    .await;
    let only = partition(&source, 0);
    let mut producer = transactional(&settings, &unique("id")).await;
    let offsets = |next: i64| {
        Some(GroupCommit {
            positions: vec![owned(only.clone(), next, Generation::for_tests(1))],
            group: metadata.clone(),
        })
    };
    producer
        .run(numbered(&target, 0..4), offsets(4))
        .await
        .unwrap();
    assert_eq!(group_offset(&settings, &group, &source).await, Some(4));
    let mut refused = numbered(&target, 4..8);
    refused.push(message(&target, "k", &"x".repeat(2_000_000)));
    let error = producer.run(refused, offsets(9)).await.unwrap_err();
    assert!(matches!(error, TransactionError::Refused(_)), "{error:?}");
    assert_eq!(group_offset(&settings, &group, &source).await, Some(4));
    producer.run(Vec::new(), offsets(6)).await.unwrap();
    assert_eq!(group_offset(&settings, &group, &source).await, Some(6));

    // The member leaves: its metadata is refused from then on, and nothing of that transaction counts.
    blocking(move || consumer.close(SOON)).await;
    let error = producer
        .run(numbered(&target, 8..9), offsets(9))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransactionError::Superseded(_)),
        "{error:?}"
    );
    assert_eq!(group_offset(&settings, &group, &source).await, Some(6));
    assert_eq!(values(&settings, &target).await, ["0", "1", "2", "3"]);
    // The producer itself is fine.
    producer.run(numbered(&target, 9..10), None).await.unwrap();
    assert_eq!(values(&settings, &target).await.last().unwrap(), "9");
}

/// The topic takes less than the client: the broker refuses a batch for one message in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_for_its_topic_takes_no_other_with_it() {
    let settings = settings();
    let name = topic(&settings, 1, &[("max.message.bytes", "1000")]).await;
    // Not compressible, or it would fit after all.
    let mut noise = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    let mut bytes = vec![0_u8; 5000];
    rand::RngCore::fill_bytes(&mut noise, &mut bytes);
    let mut large = message(&name, "k", "");
    large.value = Some(bytes.into());
    let messages = || {
        let mut messages = numbered(&name, 0..20);
        messages.insert(7, large.clone());
        messages
    };
    let mut producer = Producer::open(&settings, "p").unwrap();
    let outcomes = producer.send_all(messages(), SOON).await.unwrap();
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(
            matches!(outcome, DeliveryOutcome::Refused(_)),
            index == 7,
            "{index}: {outcome:?}"
        );
    }
    assert_eq!(values(&settings, &name).await.len(), 20);

    let mut producer = transactional(&settings, &unique("id")).await;
    let error = producer.run(messages(), None).await.unwrap_err();
    assert!(
        matches!(error, TransactionError::RefusedSomewhere(_)),
        "{error:?}"
    );
    let error = producer.run(vec![large.clone()], None).await.unwrap_err();
    let TransactionError::Refused(refused) = error else {
        panic!("{error:?}");
    };
    assert_eq!(refused[0].0, 0);
    // After a refusal by the broker librdkafka renumbers its messages, at the cost of one more aborted transaction.
    let mut result = producer.run(numbered(&name, 20..21), None).await;
    if matches!(result, Err(TransactionError::Abortable(_))) {
        result = producer.run(numbered(&name, 20..21), None).await;
    }
    result.unwrap();
    assert_eq!(values(&settings, &name).await.len(), 21);
}

/// A compacted topic stores no record without a key. Of one such record in a batch librdkafka says that all are bad, of
/// several it names them: either way the good ones pass, and the bad ones alone are refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_key_takes_no_other_with_it_to_a_compacted_topic() {
    let settings = settings();
    let cases: [&[usize]; 6] = [&[], &[0], &[2], &[4], &[1, 3], &[0, 1, 2, 3, 4]];
    for bad in cases {
        let name = topic(&settings, 1, &[("cleanup.policy", "compact")]).await;
        let messages = || {
            let mut messages = numbered(&name, 0..5);
            for index in bad {
                messages[*index].key = None;
            }
            messages
        };
        let mut producer = Producer::open(&settings, "p").unwrap();
        let outcomes = producer.send_all(messages(), SOON).await.unwrap();
        for (index, outcome) in outcomes.iter().enumerate() {
            let refused = matches!(outcome, DeliveryOutcome::Refused(cause) if cause.code.as_deref() == Some("InvalidRecord"));
            assert_eq!(
                refused,
                bad.contains(&index),
                "{bad:?} {index}: {outcome:?}"
            );
        }
        assert_eq!(
            values(&settings, &name).await.len(),
            5 - bad.len(),
            "{bad:?}"
        );

        let mut producer = transactional(&settings, &unique("id")).await;
        match producer.run(messages(), None).await {
            Ok(()) => assert!(bad.is_empty()),
            Err(TransactionError::RefusedSomewhere(_)) => assert!(!bad.is_empty(), "{bad:?}"),
            Err(other) => panic!("{bad:?}: {other:?}"),
        }
    }
    let name = topic(&settings, 1, &[("cleanup.policy", "compact,delete")]).await;
    let mut keyless = numbered(&name, 0..1);
    keyless[0].key = None;
    let mut producer = transactional(&settings, &unique("id")).await;
    let error = producer.run(keyless, None).await.unwrap_err();
    assert!(
        matches!(&error, TransactionError::Refused(refused) if refused[0].0 == 0),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cleanup_policy_of_a_topic_is_known() {
    let settings = settings();
    let mut names = Vec::new();
    for policy in ["delete", "compact", "compact,delete"] {
        names.push(topic(&settings, 1, &[("cleanup.policy", policy)]).await);
    }
    names.push(topic(&settings, 1, &[]).await);
    let admin = Admin::open(&settings).unwrap();
    let policies = admin.cleanup_policies(&names, SOON).await.unwrap();
    let policies: Vec<&str> = policies.iter().flatten().map(String::as_str).collect();
    assert_eq!(policies, ["delete", "compact", "compact,delete", "delete"]);
    let missing = admin.cleanup_policies(&[unique("t")], SOON).await;
    assert_eq!(missing.unwrap(), [None]);
}

/// The positions of all sources are in one partition: who reads them must not have to wait for the others to be silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_read_to_its_end_of_now_while_somebody_writes_on() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    let mut other = transactional(&settings, &unique("other")).await;
    other.run(numbered(&name, 0..1), None).await.unwrap();
    let (tell, read) = tokio::sync::oneshot::channel();
    let writing = async {
        let mut read = read;
        let mut written = 1;
        while read.try_recv().is_err() {
            let next = numbered(&name, written..written + 1);
            other.run(next, None).await.unwrap();
            written += 1;
        }
    };
    let reading = async {
        let found = values(&settings, &name).await;
        tell.send(()).unwrap();
        found
    };
    let ((), found) = tokio::join!(writing, reading);
    let expected: Vec<String> = (0..found.len()).map(|number| number.to_string()).collect();
    assert!(!found.is_empty());
    assert_eq!(found, expected);
}

/// Readers of committed records see nothing behind the first record of an open transaction. Who would take that for the
/// end would miss positions that were committed since, and repeat what stands before them.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_behind_an_open_transaction_is_read() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    let open = blocking({
        let (settings, name) = (settings.clone(), name.clone());
        move || begun(&settings, &name)
    })
    .await;
    let mut other = transactional(&settings, &unique("other")).await;
    other.run(numbered(&name, 1..2), None).await.unwrap();
    let reading = values(&settings, &name);
    let ending = async {
        // How long the transaction stays open.
        tokio::time::sleep(Duration::from_secs(1)).await;
        blocking(move || open.abort_transaction(SOON).unwrap()).await;
    };
    let (found, ()) = tokio::join!(reading, ending);
    assert_eq!(found, ["1"]);
}

/// A transaction with one record that the broker has, neither committed nor aborted.
fn begun(settings: &ClientSettings, topic: &str) -> BaseProducer {
    let producer: BaseProducer = settings
        .producer("test-open")
        .set("transactional.id", unique("open"))
        .create()
        .unwrap();
    producer.init_transactions(SOON).unwrap();
    producer.begin_transaction().unwrap();
    let record = BaseRecord::<str, str>::to(topic).payload("0");
    producer.send(record).unwrap();
    producer.flush(SOON).unwrap();
    producer
}
