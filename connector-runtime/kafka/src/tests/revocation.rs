//! Partitions that the group revokes are held until they are given back.

use super::real_kafka::{blocking, settings, topic};
use super::*;

/// A member that has read all of both partitions, a second one that wants one of them, and the one that is revoked with
/// the end of what was read of it.
struct Scene {
    first: SinkConsumer,
    second: SinkConsumer,
    revoked: TopicPartition,
    next: i64,
    generation: Generation,
}

fn scene(settings: &ClientSettings, topic: &str, group: &str) -> Scene {
    let mut first = SinkConsumer::open(settings, &options(group, &[topic])).unwrap();
    assigned(&mut first, 2);
    start_all(&mut first, StartAt::Earliest);
    let mut read = std::collections::HashMap::new();
    for (origin, generation) in records(&mut first, 200) {
        read.insert(origin.partition, (origin.offset + 1, generation));
    }
    let mut second = SinkConsumer::open(settings, &options(group, &[topic])).unwrap();
    let give_up = Instant::now() + SOON;
    let revoked = loop {
        assert!(Instant::now() < give_up, "nothing is revoked");
        second.poll(Duration::from_millis(20));
        match first.poll(Duration::from_millis(20)) {
            Some(Event::Rebalance(Rebalance::Revoked(revoked))) => break revoked,
            Some(Event::Rebalance(Rebalance::Lost(lost))) => panic!("lost {lost:?}"),
            _ => {}
        }
    };
    let [revoked] = revoked.try_into().unwrap();
    let (next, generation) = read[&revoked.partition];
    Scene {
        first,
        second,
        revoked,
        next,
        generation,
    }
}

/// What the second member is given within this time.
fn given(second: &mut SinkConsumer, within: Duration) -> Vec<TopicPartition> {
    let give_up = Instant::now() + within;
    while Instant::now() < give_up {
        if let Some(Event::Rebalance(Rebalance::Assigned(partitions))) =
            second.poll(Duration::from_millis(20))
        {
            return partitions;
        }
    }
    Vec::new()
}

fn held_until_it_is_given_back(settings: &ClientSettings, topic: &str, polls: bool) {
    let group = unique("g");
    let mut scene = scene(settings, topic, &group);
    let moved = std::slice::from_ref(&scene.revoked);
    assert_eq!(given(&mut scene.second, Duration::from_secs(2)), []);
    let durable = owned(scene.revoked.clone(), scene.next, scene.generation);
    scene.first.store(&[durable]);
    if polls {
        scene.first.poll(Duration::ZERO);
    } else {
        scene.first.give_back();
    }
    assert_eq!(scene.first.generation(&scene.revoked), None);
    let give_up = Instant::now() + SOON;
    let mut taken_over = Vec::new();
    while taken_over.is_empty() {
        assert!(Instant::now() < give_up, "the second member got nothing");
        scene.first.poll(Duration::from_millis(20));
        taken_over = given(&mut scene.second, Duration::from_millis(20));
    }
    assert_eq!(taken_over, moved);
    let committed = committed(&scene.second, moved);
    assert_eq!(committed[&scene.revoked], Some(scene.next));
    assert!(scene.first.close(SOON) && scene.second.close(SOON));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_partition_is_held_until_it_is_given_back_or_the_next_poll() {
    for polls in [false, true] {
        let kafka = Embedded::start().unwrap();
        let settings = kafka.settings().unwrap();
        kafka.create_topic("t", 2).unwrap();
        produce(&settings, "t", 0..200).await;
        blocking(move || held_until_it_is_given_back(&settings, "t", polls)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_partition_is_held_on_a_real_kafka_too() {
    let settings = settings();
    let topic = topic(&settings, 2, &[]).await;
    produce(&settings, &topic, 0..200).await;
    blocking(move || held_until_it_is_given_back(&settings, &topic, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_ends_while_it_holds_partitions_commits_what_is_stored() {
    for closes in [true, false] {
        let settings = settings();
        let topic = topic(&settings, 2, &[]).await;
        produce(&settings, &topic, 0..200).await;
        blocking(move || {
            let mut scene = scene(&settings, &topic, &unique("g"));
            let durable = owned(scene.revoked.clone(), scene.next, scene.generation);
            scene.first.store(&[durable]);
            if closes {
                assert!(scene.first.close(SOON));
            } else {
                drop(scene.first);
            }
            let mut given_in_time = Vec::new();
            while given_in_time.is_empty() {
                given_in_time = given(&mut scene.second, SOON);
            }
            let moved = std::slice::from_ref(&scene.revoked);
            let committed = committed(&scene.second, moved);
            assert_eq!(committed[&scene.revoked], Some(scene.next), "{closes}");
        })
        .await;
    }
}

/// Its owner holds it for longer than the group waits: the other member has it by then, and is further. Kafka refuses
/// the commit of a member that it has expelled, and we do not send it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_while_it_is_held_is_not_committed() {
    let impatient = BTreeMap::from([("max.poll.interval.ms".to_owned(), "10000".to_owned())]);
    let settings = ClientSettings::new(settings().bootstrap(), impatient).unwrap();
    let topic = topic(&settings, 2, &[]).await;
    produce(&settings, &topic, 0..200).await;
    let group = unique("g");
    blocking(move || {
        let mut scene = scene(&settings, &topic, &group);
        // Nobody polls the first member.
        let mut taken_over = Vec::new();
        while !taken_over.contains(&scene.revoked) {
            let more = given(&mut scene.second, SOON);
            assert!(!more.is_empty(), "the second member got {taken_over:?}");
            taken_over.extend(more);
        }
        start_all(&mut scene.second, StartAt::Earliest);
        let wanted = scene.revoked.partition;
        let generation = poll_until(&mut scene.second, |event| match event {
            Event::Record { origin, generation } if origin.partition == wanted => {
                (origin.offset + 1 == scene.next).then_some(generation)
            }
            _ => None,
        });
        let further = owned(scene.revoked.clone(), scene.next, generation);
        scene.second.store(&[further]);
        scene.second.commit_and_wait().unwrap();
        let late = owned(scene.revoked.clone(), scene.next / 2, scene.generation);
        scene.first.store(&[late]);
        scene.first.commit().unwrap();
        scene.first.give_back();
        poll_until(&mut scene.first, |event| {
            matches!(
                event,
                Event::Rebalance(Rebalance::Lost(_)) | Event::Rebalance(Rebalance::Assigned(_))
            )
            .then_some(())
        });
        let moved = std::slice::from_ref(&scene.revoked);
        let committed = committed(&scene.second, moved);
        assert_eq!(committed[&scene.revoked], Some(scene.next));
    })
    .await;
}
