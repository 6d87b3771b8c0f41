use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_begins_where_it_is_told_and_nothing_comes_before() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("sales", 6).unwrap();
    produce(&settings, "sales", 0..3000).await;
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["sales"])).unwrap();
        let partitions = assigned(&mut consumer, 6);
        // Long enough for a fetch, if one were made.
        for _ in 0..20 {
            assert!(consumer.poll(Duration::from_millis(20)).is_none());
        }
        let starts: Vec<(TopicPartition, StartAt)> = partitions
            .iter()
            .map(|partition| {
                let start = match partition.partition {
                    0 => StartAt::Earliest,
                    1 => StartAt::Latest,
                    number => StartAt::Offset(100 + i64::from(number)),
                };
                (partition.clone(), start)
            })
            .collect();
        let mut wanted = std::collections::HashMap::new();
        let mut expected = 0;
        for (partition, result) in consumer.start_at(&starts) {
            let start = result.unwrap();
            let Watermarks { low, high } = consumer.watermarks(&partition).unwrap();
            match partition.partition {
                0 => assert_eq!(start, low),
                1 => assert_eq!(start, high),
                number => assert_eq!(start, 100 + i64::from(number)),
            }
            expected += usize::try_from(high - start).unwrap();
            wanted.insert(partition.partition, start);
        }
        for (origin, _) in records(&mut consumer, expected) {
            let next = wanted.get_mut(&origin.partition).unwrap();
            assert_eq!(origin.offset, *next, "{} out of order", origin.partition);
            *next += 1;
        }
        assert!(consumer.close(SOON));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_copied_whole() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 1).unwrap();
    let mut producer = Producer::open(&settings, "p").unwrap();
    let header = |name: &str, value: Option<&'static [u8]>| connect_api::Header {
        name: name.to_owned(),
        value: value.map(bytes::Bytes::from_static),
    };
    let mut full = message("t", "k", "v");
    full.headers = vec![
        header("a", Some(b"1")),
        header("a", Some(b"2")),
        header("b", None),
    ];
    full.timestamp_ms = Some(1_700_000_000_123);
    let mut tombstone = message("t", "k", "");
    tombstone.value = None;
    let mut keyless = message("t", "", "");
    keyless.key = None;
    let sent = vec![full, tombstone, keyless];
    producer.send_all(sent.clone(), SOON).await.unwrap();
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        assigned(&mut consumer, 1);
        start_all(&mut consumer, StartAt::Earliest);
        for ((origin, _), sent) in records(&mut consumer, 3).iter().zip(&sent) {
            assert_eq!(origin.key, sent.key);
            assert_eq!(origin.value, sent.value);
            assert_eq!(origin.headers, sent.headers);
            if sent.timestamp_ms.is_some() {
                assert_eq!(origin.timestamp_ms, sent.timestamp_ms);
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_positions_are_committed_and_stale_ones_are_not() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 1).unwrap();
    produce(&settings, "t", 0..10).await;
    tokio::task::spawn_blocking(move || {
        let only = partition("t", 0);
        let committed =
            |consumer: &SinkConsumer| committed(consumer, std::slice::from_ref(&only))[&only];
        let mut first = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        assigned(&mut first, 1);
        assert_eq!(committed(&first), None);
        start_all(&mut first, StartAt::Offset(3));
        let stale = records(&mut first, 2)[0].1;
        // Beyond what was delivered: refused. Then the real one.
        first.store(&[owned(only.clone(), 9, stale)]);
        first.commit_and_wait().unwrap();
        assert_eq!(committed(&first), None);
        // Several of one partition: the furthest.
        let all = [4, 5, 3].map(|next| owned(only.clone(), next, stale));
        first.store(&all);
        first.commit_and_wait().unwrap();
        assert_eq!(committed(&first), Some(5));
        assert!(first.close(SOON));

        let mut second = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        assigned(&mut second, 1);
        start_all(&mut second, StartAt::Offset(5));
        records(&mut second, 3);
        // A generation of another life of this partition.
        second.store(&[owned(only.clone(), 8, Generation::for_tests(99))]);
        second.commit_and_wait().unwrap();
        assert_eq!(committed(&second), Some(5));
        assert_eq!(second.position(&only), Some(8));
        assert!(second.close(SOON));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_partition_is_committed_as_stored_and_its_positions_are_refused_from_then_on() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 2).unwrap();
    produce(&settings, "t", 0..200).await;
    tokio::task::spawn_blocking(move || {
        let mut first = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        assigned(&mut first, 2);
        start_all(&mut first, StartAt::Earliest);
        let mut latest = std::collections::HashMap::new();
        for (origin, generation) in records(&mut first, 200) {
            latest.insert(origin.partition, (origin.offset + 1, generation));
        }
        // Half of each partition is durable; the rest is still being written when the other member comes.
        for (number, (next, generation)) in &latest {
            first.store(&[owned(partition("t", *number), next / 2, *generation)]);
        }
        let mut second = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        let mut revoked = Vec::new();
        let mut taken_over = Vec::new();
        let give_up = Instant::now() + SOON;
        while taken_over.is_empty() {
            assert!(Instant::now() < give_up, "the second member got nothing");
            match first.poll(Duration::from_millis(20)) {
                Some(Event::Rebalance(Rebalance::Revoked(partitions))) => {
                    revoked.extend(partitions)
                }
                Some(Event::Rebalance(Rebalance::Lost(partitions))) => {
                    panic!("lost {partitions:?}")
                }
                _ => {}
            }
            if let Some(Event::Rebalance(Rebalance::Assigned(partitions))) =
                second.poll(Duration::from_millis(20))
            {
                taken_over.extend(partitions);
            }
        }
        assert_eq!(revoked, taken_over);
        let moved = &taken_over[0];
        let (next, generation) = latest[&moved.partition];
        assert_eq!(first.generation(moved), None);
        assert_eq!(
            committed(&second, std::slice::from_ref(moved))[moved],
            Some(next / 2)
        );
        // The write ends, too late.
        first.store(&[owned(moved.clone(), next, generation)]);
        first.commit_and_wait().unwrap();
        assert_eq!(
            committed(&second, std::slice::from_ref(moved))[moved],
            Some(next / 2)
        );
        assert!(first.close(SOON) && second.close(SOON));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_the_membership_and_loses_nothing() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 3).unwrap();
    produce(&settings, "t", 0..300).await;
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        let partitions = assigned(&mut consumer, 3);
        // Partition 2 is not begun yet.
        let starts: Vec<(TopicPartition, StartAt)> = partitions[..2]
            .iter()
            .map(|partition| (partition.clone(), StartAt::Earliest))
            .collect();
        consumer.start_at(&starts);
        let mut seen: Vec<String> = records(&mut consumer, 5)
            .iter()
            .map(|(origin, _)| text(origin))
            .collect();
        consumer.pause_all().unwrap();
        let generation = consumer.generation(&partitions[0]);
        for _ in 0..50 {
            if let Some(Event::Record { origin, .. }) = consumer.poll(Duration::from_millis(20)) {
                panic!("{origin:?} while paused");
            }
        }
        // Begun while everything is held back: comes only afterwards.
        consumer.start_at(&[(partitions[2].clone(), StartAt::Earliest)]);
        for _ in 0..20 {
            if let Some(Event::Record { origin, .. }) = consumer.poll(Duration::from_millis(20)) {
                panic!("{origin:?} while paused");
            }
        }
        assert_eq!(consumer.generation(&partitions[0]), generation);
        consumer.resume_all().unwrap();
        seen.extend(
            records(&mut consumer, 295)
                .iter()
                .map(|(origin, _)| text(origin)),
        );
        seen.sort_by_key(|number| number.parse::<usize>().unwrap());
        let all: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        assert_eq!(seen, all);
        assert!(consumer.close(SOON));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_starting_over_nothing_comes_before_a_new_begin() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 1).unwrap();
    produce(&settings, "t", 0..100).await;
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        let only = assigned(&mut consumer, 1)[0].clone();
        assert_eq!(consumer.partition_count("t").unwrap(), 1);
        assert_eq!(consumer.partition_count("unknown").unwrap(), 0);
        start_all(&mut consumer, StartAt::Offset(10));
        let before = records(&mut consumer, 20)[0].1;
        assert_eq!(consumer.start_over(), std::slice::from_ref(&only));
        consumer.store(&[owned(only.clone(), 20, before)]);
        for _ in 0..20 {
            if let Some(Event::Record { origin, .. }) = consumer.poll(Duration::from_millis(20)) {
                panic!("{origin:?} was not begun anew");
            }
        }
        start_all(&mut consumer, StartAt::Offset(5));
        let (origin, generation) = records(&mut consumer, 1).remove(0);
        assert_eq!(origin.offset, 5);
        assert!(generation > before);
        consumer.commit_and_wait().unwrap();
        assert_eq!(
            committed(&consumer, std::slice::from_ref(&only))[&only],
            None
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn resume_leaves_partitions_paused_that_were_not_begun() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 2).unwrap();
    produce(&settings, "t", 0..100).await;
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        let partitions = assigned(&mut consumer, 2);
        consumer.start_at(&[(partitions[0].clone(), StartAt::Earliest)]);
        consumer.pause_all().unwrap();
        consumer.resume_all().unwrap();
        let high = consumer.watermarks(&partitions[0]).unwrap().high;
        for (origin, _) in records(&mut consumer, usize::try_from(high).unwrap()) {
            assert_eq!(origin.partition, 0);
        }
        for _ in 0..20 {
            if let Some(Event::Record { origin, .. }) = consumer.poll(Duration::from_millis(20)) {
                panic!("{origin:?} was never begun");
            }
        }
    })
    .await
    .unwrap();
}

/// The mock keeps 5 MiB a partition; what is beyond is dropped, as by retention.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_gone_is_reported_exactly_and_can_be_begun_anew() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 1).unwrap();
    let mut producer = Producer::open(&settings, "p").unwrap();
    // Not compressible, so that 5 MiB are soon full.
    let mut noise = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    for _ in 0..20 {
        let messages = (0..10)
            .map(|_| {
                let mut bytes = vec![0_u8; 50_000];
                rand::RngCore::fill_bytes(&mut noise, &mut bytes);
                let mut message = message("t", "k", "");
                message.value = Some(bytes.into());
                message
            })
            .collect();
        producer.send_all(messages, SOON).await.unwrap();
    }
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        let only = assigned(&mut consumer, 1)[0].clone();
        for (wanted, below) in [(1, true), (500, false)] {
            consumer.start_at(&[(only.clone(), StartAt::Offset(wanted))]);
            let (partition, missed, low, high) = poll_until(&mut consumer, |event| match event {
                Event::OutOfRange {
                    partition,
                    wanted,
                    low,
                    high,
                } => Some((partition, wanted, low, high)),
                Event::Record { origin, .. } => panic!("{} instead", origin.offset),
                _ => None,
            });
            assert_eq!((&partition, missed, high), (&only, wanted, 200));
            assert!(low > 1 && low < 200, "low is {low}");
            assert_eq!(below, wanted < low);
        }
        start_all(&mut consumer, StartAt::Earliest);
        let low = consumer.watermarks(&only).unwrap().low;
        assert_eq!(records(&mut consumer, 1)[0].0.offset, low);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_for() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 1).unwrap();
    produce(&settings, "t", 0..10).await;
    tokio::task::spawn_blocking(move || {
        let mut consumer = SinkConsumer::open(&settings, &options("g", &["t"])).unwrap();
        assigned(&mut consumer, 1);
        kafka.cluster().unwrap().broker_down(1).unwrap();
        poll_until(&mut consumer, |event| {
            matches!(event, Event::Waiting(_)).then_some(())
        });
        kafka.cluster().unwrap().broker_up(1).unwrap();
        start_all(&mut consumer, StartAt::Offset(0));
        assert_eq!(records(&mut consumer, 10).len(), 10);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_many_partitions_are_one_question() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("t", 2).unwrap();
    produce(&settings, "t", 0..50).await;
    let admin = Admin::open(&settings).unwrap();
    let known = [partition("t", 0), partition("t", 1)];
    let asked = [&known[..], &[partition("missing", 0)]].concat();
    let ends = admin.offsets(asked.clone(), StartAt::Latest).await.unwrap();
    let sum: i64 = known.iter().map(|partition| ends[partition]).sum();
    assert_eq!((ends.len(), sum), (2, 50));
    let firsts = admin.offsets(asked, StartAt::Earliest).await.unwrap();
    assert_eq!(firsts.values().copied().collect::<Vec<_>>(), [0, 0]);
}

/// Who holds the partition runs the source; when it leaves, the other takes over.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_one_owner() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("connect_positions", 1).unwrap();
    tokio::task::spawn_blocking(move || {
        let open = |name: &str| {
            let options = OwnerOptions {
                group: "connect-x".to_owned(),
                client_id: name.to_owned(),
                topic: "connect_positions".to_owned(),
            };
            PartitionOwner::open(&settings, &options).unwrap()
        };
        let wait = |owner: &mut PartitionOwner, other: Option<&mut PartitionOwner>| {
            let give_up = Instant::now() + SOON;
            let mut other = other;
            while !owner.owns() {
                assert!(Instant::now() < give_up, "nobody owns it");
                owner.poll(Duration::from_millis(50));
                if let Some(other) = other.as_deref_mut() {
                    other.poll(Duration::from_millis(50));
                }
            }
        };
        let mut first = open("one");
        wait(&mut first, None);
        let mut second = open("two");
        for _ in 0..40 {
            first.poll(Duration::from_millis(25));
            second.poll(Duration::from_millis(25));
            assert!(!(first.owns() && second.owns()), "two owners");
        }
        assert!(first.owns() || second.owns());
        let (leaving, mut staying) = if first.owns() {
            (first, second)
        } else {
            (second, first)
        };
        assert!(leaving.close(SOON));
        wait(&mut staying, None);
    })
    .await
    .unwrap();
}
