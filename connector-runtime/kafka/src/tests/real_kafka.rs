//! What the mock cluster cannot do. Needs a real Kafka; every test makes its own topics and groups.

use std::collections::HashMap;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "dev/test says where the servers are"
)]
pub(super) fn settings() -> ClientSettings {
    let Ok(bootstrap) = std::env::var("CONNECT_TEST_KAFKA") else {
        panic!(
            "CONNECT_TEST_KAFKA is not set: run `dev/test`, or `eval \"$(dev/servers env)\"` first"
        );
    };
    ClientSettings::new(bootstrap, BTreeMap::new()).unwrap()
}

pub(super) async fn topic(
    settings: &ClientSettings,
    partitions: i32,
    config: &[(&str, &str)],
) -> String {
    let name = unique("t");
    let new = NewTopics {
        names: vec![name.clone()],
        partitions: Some(partitions),
        replication: Some(1),
        config: config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let admin = Admin::open(settings).unwrap();
    assert_eq!(
        admin.create_topics(&new, SOON).await.unwrap(),
        [name.as_str()]
    );
    // A second time it is there already.
    assert!(admin.create_topics(&new, SOON).await.unwrap().is_empty());
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_can_never_be_made_are_told_from_those_that_may_be() {
    let settings = settings();
    let admin = Admin::open(&settings).unwrap();
    let good = || NewTopics {
        names: vec![unique("t")],
        partitions: Some(1),
        replication: Some(1),
        config: BTreeMap::new(),
    };
    let config = BTreeMap::from([("cleanup.policy".to_owned(), "never".to_owned())]);
    let cases = [
        (NewTopics { config, ..good() }, true, "cleanup.policy"),
        (
            NewTopics {
                names: vec!["no such name".to_owned()],
                ..good()
            },
            true,
            "249",
        ),
        (
            NewTopics {
                partitions: Some(0),
                ..good()
            },
            true,
            "[create_topics]",
        ),
        (
            NewTopics {
                replication: Some(7),
                ..good()
            },
            false,
            "`replication`",
        ),
    ];
    for (new, is_final, word) in cases {
        let failure = admin.create_topics(&new, SOON).await.unwrap_err();
        assert_eq!(
            matches!(failure, connect_api::Failure::Fatal(_)),
            is_final,
            "{failure}"
        );
        assert!(failure.to_string().contains(word), "{failure}");
    }
}

fn native_admin(settings: &ClientSettings) -> AdminClient<DefaultClientContext> {
    settings.client("test-admin").create().unwrap()
}

pub(super) fn numbered(topic: &str, numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    numbers
        .map(|number| message(topic, "k", &number.to_string()))
        .collect()
}

pub(super) async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(call).await.unwrap()
}

pub(super) async fn group_offset(
    settings: &ClientSettings,
    group: &str,
    topic: &str,
) -> Option<i64> {
    let only = partition(topic, 0);
    let offsets = GroupOffsets::open(settings, group).unwrap();
    offsets
        .committed(std::slice::from_ref(&only))
        .await
        .unwrap()[&only]
}

#[tokio::test(flavor = "multi_thread")]
async fn begins_where_it_is_told_also_partitions_that_come_later() {
    let settings = settings();
    let name = topic(&settings, 3, &[]).await;
    produce(&settings, &name, 0..300).await;
    let admin = native_admin(&settings);
    let (consumer_settings, consumer_topic) = (settings.clone(), name.clone());
    let mut consumer = blocking(move || {
        let group = unique("g");
        let mut consumer =
            SinkConsumer::open(&consumer_settings, &options(&group, &[&consumer_topic])).unwrap();
        let partitions = assigned(&mut consumer, 3);
        let starts: Vec<(TopicPartition, StartAt)> = partitions
            .iter()
            .map(|partition| (partition.clone(), StartAt::Offset(10)))
            .collect();
        consumer.start_at(&starts);
        let mut next = HashMap::from([(0, 10), (1, 10), (2, 10)]);
        for (origin, _) in records(&mut consumer, 270) {
            let next: &mut i64 = next.get_mut(&origin.partition).unwrap();
            assert_eq!(origin.offset, *next);
            *next += 1;
        }
        consumer
    })
    .await;
    admin
        .create_partitions(&[NewPartitions::new(&name, 5)], &AdminOptions::new())
        .await
        .unwrap();
    blocking(move || {
        assert_eq!(
            assigned(&mut consumer, 2),
            [partition(&name, 3), partition(&name, 4)]
        );
        assert_eq!(consumer.assignment().len(), 5);
        assert!(consumer.close(SOON));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_later_is_waited_for() {
    let settings = settings();
    let name = unique("later");
    let (consumer_settings, consumer_topic) = (settings.clone(), name.clone());
    let mut consumer = blocking(move || {
        let group = unique("g");
        let mut consumer =
            SinkConsumer::open(&consumer_settings, &options(&group, &[&consumer_topic])).unwrap();
        let missing = poll_until(&mut consumer, |event| match event {
            Event::TopicMissing { topic } => Some(topic),
            _ => None,
        });
        assert_eq!(missing, consumer_topic);
        consumer
    })
    .await;
    let new = NewTopics {
        names: vec![name.clone()],
        ..NewTopics::default()
    };
    Admin::open(&settings)
        .unwrap()
        .create_topics(&new, SOON)
        .await
        .unwrap();
    produce(&settings, &name, 0..5).await;
    blocking(move || {
        assigned(&mut consumer, 1);
        start_all(&mut consumer, StartAt::Earliest);
        assert_eq!(records(&mut consumer, 5).len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_and_made_anew_begins_only_where_it_is_told() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    produce(&settings, &name, 0..20).await;
    let (consumer_settings, consumer_topic) = (settings.clone(), name.clone());
    let mut consumer = blocking(move || {
        let options = options(&unique("g"), &[&consumer_topic]);
        let mut consumer = SinkConsumer::open(&consumer_settings, &options).unwrap();
        assigned(&mut consumer, 1);
        start_all(&mut consumer, StartAt::Earliest);
        records(&mut consumer, 20);
        consumer
    })
    .await;
    native_admin(&settings)
        .delete_topics(&[&name], &AdminOptions::new())
        .await
        .unwrap();
    let mut consumer = blocking(move || {
        let mut revoked = false;
        let mut missing = false;
        poll_until(&mut consumer, |event| {
            match event {
                Event::Rebalance(Rebalance::Revoked(_)) | Event::Rebalance(Rebalance::Lost(_)) => {
                    revoked = true
                }
                Event::TopicMissing { .. } => missing = true,
                Event::OutOfRange { .. } => panic!("{event:?}"),
                _ => {}
            }
            (revoked && missing).then_some(())
        });
        consumer
    })
    .await;
    let again = NewTopics {
        names: vec![name.clone()],
        partitions: Some(1),
        ..NewTopics::default()
    };
    let admin = Admin::open(&settings).unwrap();
    admin.create_topics(&again, SOON).await.unwrap();
    produce(&settings, &name, 0..5).await;
    blocking(move || {
        let only = assigned(&mut consumer, 1)[0].clone();
        // The position of its former life.
        consumer.start_at(&[(only, StartAt::Offset(20))]);
        let (wanted, low, high) = poll_until(&mut consumer, |event| match event {
            Event::OutOfRange {
                wanted, low, high, ..
            } => Some((wanted, low, high)),
            Event::Record { origin, .. } => panic!("jumped to {}", origin.offset),
            _ => None,
        });
        assert_eq!((wanted, low, high), (20, 0, 5));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_finds_topics() {
    let settings = settings();
    let prefix = unique("p");
    let names = vec![format!("{prefix}.a"), format!("{prefix}.b")];
    let new = NewTopics {
        names: names.clone(),
        partitions: Some(1),
        ..NewTopics::default()
    };
    let admin = Admin::open(&settings).unwrap();
    admin.create_topics(&new, SOON).await.unwrap();
    blocking(move || {
        let mut options = options(&unique("g"), &[]);
        options.subscription = Subscription::Pattern(format!("{prefix}\\.(a|b|c)"));
        let mut consumer = SinkConsumer::open(&settings, &options).unwrap();
        let given = assigned(&mut consumer, 2);
        assert_eq!(given, [partition(&names[0], 0), partition(&names[1], 0)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_deleted_below_the_position_are_reported_as_a_range() {
    let settings = settings();
    let name = topic(&settings, 2, &[]).await;
    let mut producer = Producer::open(&settings, "p").unwrap();
    producer
        .send_all(numbered(&name, 0..100), SOON)
        .await
        .unwrap();
    let only = {
        let offsets = GroupOffsets::open(&settings, "none").unwrap();
        let mut full = None;
        let both = [partition(&name, 0), partition(&name, 1)];
        let watermarks = offsets.watermarks(&both).await.unwrap();
        for (candidate, watermarks) in both.into_iter().zip(watermarks) {
            if watermarks.high == 100 {
                full = Some(candidate);
            }
        }
        full.expect("equal keys go to one partition")
    };
    let mut below = TopicPartitionList::new();
    below
        .add_partition_offset(&name, only.partition, Offset::Offset(40))
        .unwrap();
    native_admin(&settings)
        .delete_records(&below, &AdminOptions::new())
        .await
        .unwrap();
    blocking(move || {
        let group = unique("g");
        let mut consumer = SinkConsumer::open(&settings, &options(&group, &[&name])).unwrap();
        assigned(&mut consumer, 2);
        start_all(&mut consumer, StartAt::Offset(0));
        let (partition, wanted, low, high) = poll_until(&mut consumer, |event| match event {
            Event::OutOfRange {
                partition,
                wanted,
                low,
                high,
            } => Some((partition, wanted, low, high)),
            Event::Record { origin, .. } => panic!("jumped to {}", origin.offset),
            _ => None,
        });
        assert_eq!((&partition, wanted, low, high), (&only, 0, 40, 100));
        // Nothing comes until somebody decides.
        for _ in 0..10 {
            if let Some(Event::Record { origin, .. }) = consumer.poll(Duration::from_millis(20)) {
                panic!("jumped to {}", origin.offset);
            }
        }
        consumer.start_at(&[(only, StartAt::Earliest)]);
        let came = records(&mut consumer, 60);
        assert_eq!(came[0].0.offset, 40);
        assert_eq!(came[59].0.offset, 99);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_start_is_an_offset() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    let mut messages = numbered(&name, 0..10);
    for (number, message) in (0..).zip(&mut messages) {
        message.timestamp_ms = Some(1_700_000_000_000 + number * 1000);
    }
    let mut producer = Producer::open(&settings, "p").unwrap();
    producer.send_all(messages, SOON).await.unwrap();
    let only = partition(&name, 0);
    let offsets = GroupOffsets::open(&settings, &unique("g")).unwrap();
    offsets.set(&[at(only.clone(), 5)]).await.unwrap();
    let time = |milliseconds| Timestamp::from_millisecond(milliseconds).map(StartAt::Time);
    for (start, expected) in [
        (time(-5).unwrap(), 0),
        (time(1_700_000_003_000).unwrap(), 3),
        (time(1_700_000_003_001).unwrap(), 4),
        (time(1_800_000_000_000).unwrap(), 10),
        (StartAt::Committed, 5),
        (StartAt::Earliest, 0),
        (StartAt::Latest, 10),
        (StartAt::Offset(7), 7),
    ] {
        let resolved = offsets
            .resolve(std::slice::from_ref(&only), start)
            .await
            .unwrap();
        assert_eq!(resolved[&only], expected, "{start:?}");
    }
    let nobody = GroupOffsets::open(&settings, &unique("g")).unwrap();
    let refused = nobody.resolve(std::slice::from_ref(&only), StartAt::Committed);
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("has no offset"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_offsets_are_set_only_while_nobody_reads() {
    let settings = settings();
    let name = topic(&settings, 1, &[]).await;
    produce(&settings, &name, 0..10).await;
    let group = unique("g");
    let only = partition(&name, 0);
    let offsets = GroupOffsets::open(&settings, &group).unwrap();
    offsets.set(&[at(only.clone(), 3)]).await.unwrap();
    assert_eq!(group_offset(&settings, &group, &name).await, Some(3));
    let (member_settings, member_group, member_topic) =
        (settings.clone(), group.clone(), name.clone());
    let member = blocking(move || {
        let options = options(&member_group, &[&member_topic]);
        let mut member = SinkConsumer::open(&member_settings, &options).unwrap();
        assigned(&mut member, 1);
        member
    })
    .await;
    let members = offsets.members().await.unwrap();
    assert_eq!(members.len(), 1, "{members:?}");
    let cause = offsets.set(&[at(only.clone(), 5)]).await.unwrap_err();
    assert_eq!(cause.code.as_deref(), Some("NonEmptyGroup"));
    assert!(cause.message.contains(&group), "{cause}");
    assert!(cause.help.is_some());
    assert_eq!(group_offset(&settings, &group, &name).await, Some(3));
    blocking(move || assert!(member.close(SOON))).await;
    offsets.set(&[at(only, 5)]).await.unwrap();
    assert_eq!(group_offset(&settings, &group, &name).await, Some(5));
}

/// Two members, one polled slowly: partitions move, nothing that was not stored is committed, and every partition ends
/// up with somebody who begins it where the other stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_moves_with_its_stored_position() {
    let settings = settings();
    let name = topic(&settings, 4, &[]).await;
    produce(&settings, &name, 0..400).await;
    blocking(move || {
        let group = unique("g");
        let mut first = SinkConsumer::open(&settings, &options(&group, &[&name])).unwrap();
        assigned(&mut first, 4);
        start_all(&mut first, StartAt::Earliest);
        let mut stored = HashMap::new();
        for (origin, generation) in records(&mut first, 400) {
            let partition = partition(&origin.topic, origin.partition);
            if origin.offset < 50 {
                first.store(&[owned(partition.clone(), origin.offset + 1, generation)]);
                stored.insert(partition, origin.offset + 1);
            }
        }
        let mut second = SinkConsumer::open(&settings, &options(&group, &[&name])).unwrap();
        let give_up = Instant::now() + SOON;
        let mut moved = Vec::new();
        while moved.len() < 2 {
            assert!(Instant::now() < give_up, "moved: {moved:?}");
            first.poll(Duration::from_millis(10));
            if let Some(Event::Rebalance(Rebalance::Assigned(partitions))) =
                second.poll(Duration::from_millis(10))
            {
                moved.extend(partitions);
            }
        }
        for (partition, offset) in committed(&second, &moved) {
            assert_eq!(offset, stored.get(&partition).copied(), "{partition}");
        }
        assert_eq!(first.assignment().len() + second.assignment().len(), 4);
        assert!(first.close(SOON) && second.close(SOON));
    })
    .await;
}
