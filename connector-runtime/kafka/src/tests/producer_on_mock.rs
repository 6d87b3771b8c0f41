use connect_api::Failure;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_and_the_others_are_delivered() {
    let kafka = Embedded::start().unwrap();
    kafka.create_topic("t", 1).unwrap();
    let mut producer = Producer::open(&kafka.settings().unwrap(), "p").unwrap();
    let messages = vec![
        message("t", "a", "fits"),
        message("t", "b", &"x".repeat(2_000_000)),
        message("t", "c", "fits"),
    ];
    let outcomes = producer.send_all(messages, SOON).await.unwrap();
    assert!(
        matches!(outcomes[0], DeliveryOutcome::Delivered { .. }),
        "{outcomes:?}"
    );
    let DeliveryOutcome::Refused(cause) = &outcomes[1] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(cause.code.as_deref(), Some("MessageSizeTooLarge"));
    assert!(cause.help.is_some());
    assert!(
        matches!(outcomes[2], DeliveryOutcome::Delivered { .. }),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn errors_that_pass_are_retried_within_a_call() {
    let kafka = Embedded::start().unwrap();
    kafka.create_topic("t", 1).unwrap();
    kafka.cluster().unwrap().request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ],
    );
    let mut producer = Producer::open(&kafka.settings().unwrap(), "p").unwrap();
    let outcomes = producer
        .send_all(vec![message("t", "a", "1")], SOON)
        .await
        .unwrap();
    assert!(
        matches!(outcomes[0], DeliveryOutcome::Delivered { .. }),
        "{outcomes:?}"
    );
}

/// The broker refuses the whole batch once; sent alone, each message is taken.
#[tokio::test]
async fn who_was_refused_with_its_batch_is_judged_alone() {
    let kafka = Embedded::start().unwrap();
    kafka.create_topic("t", 1).unwrap();
    let mut producer = Producer::open(&kafka.settings().unwrap(), "p").unwrap();
    producer
        .send_all(vec![message("t", "warm", "up")], SOON)
        .await
        .unwrap();
    kafka.cluster().unwrap().request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
    );
    let messages = (0..20)
        .map(|number| message("t", "k", &number.to_string()))
        .collect();
    let outcomes = producer.send_all(messages, SOON).await.unwrap();
    assert_eq!(outcomes.len(), 20);
    for outcome in outcomes {
        assert!(
            matches!(outcome, DeliveryOutcome::Delivered { .. }),
            "{outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_retry_and_waiting_on_delivers_once() {
    let kafka = Embedded::start().unwrap();
    kafka.create_topic("t", 1).unwrap();
    let settings = kafka.settings().unwrap();
    let mut producer = Producer::open(&settings, "p").unwrap();
    producer
        .send_all(vec![message("t", "warm", "up")], SOON)
        .await
        .unwrap();
    kafka.cluster().unwrap().broker_down(1).unwrap();
    let messages: Vec<Outgoing> = (0..100)
        .map(|number| message("t", "k", &number.to_string()))
        .collect();
    let short = Duration::from_millis(300);
    let failure = producer.send_all(messages, short).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure:?}");
    let failure = producer.wait(short).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure:?}");
    // Sending again would deliver twice: refused.
    let failure = producer.send_all(Vec::new(), short).await.unwrap_err();
    assert!(matches!(failure, Failure::Fatal(_)), "{failure:?}");
    kafka.cluster().unwrap().broker_up(1).unwrap();
    let outcomes = producer.wait(SOON).await.unwrap();
    assert_eq!(outcomes.len(), 100);
    let all = read_topic_to_end(&settings, "t", 0, SOON).await.unwrap();
    assert_eq!(all.len(), 101);
    assert!(producer.wait(SOON).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_to_its_end() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    kafka.create_topic("empty", 1).unwrap();
    kafka.create_topic("full", 1).unwrap();
    produce(&settings, "full", 0..1000).await;
    let read = read_topic_to_end(&settings, "empty", 0, SOON)
        .await
        .unwrap();
    assert!(read.is_empty());
    let read = read_topic_to_end(&settings, "full", 0, SOON).await.unwrap();
    assert_eq!(read.len(), 1000);
    assert_eq!(read[999].1.as_deref(), Some(&b"999"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_answers_questions() {
    let kafka = Embedded::start().unwrap();
    let settings = kafka.settings().unwrap();
    assert!(kafka.create_topic("a", 3).unwrap());
    assert!(!kafka.create_topic("a", 3).unwrap());
    let admin = Admin::open(&settings).unwrap();
    assert!(!admin.cluster_id(SOON).await.unwrap().is_empty());
    assert_eq!(
        admin.partitions("a", SOON).await.unwrap(),
        Some(vec![0, 1, 2])
    );
    assert!(!admin.topic_exists("b", SOON).await.unwrap());
    // Asking did not create it.
    let topics = admin.topics(SOON).await.unwrap();
    assert_eq!(topics.into_keys().collect::<Vec<_>>(), ["a"]);
    let offsets = GroupOffsets::open(&settings, "g").unwrap();
    let asked = [partition("a", 0), partition("a", 1)];
    offsets.set(&[at(asked[0].clone(), 7)]).await.unwrap();
    let committed = offsets.committed(&asked).await.unwrap();
    assert_eq!(
        (committed[&asked[0]], committed[&asked[1]]),
        (Some(7), None)
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_said_in_time() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = ClientSettings::new(format!("127.0.0.1:{port}"), BTreeMap::new()).unwrap();
    let short = Duration::from_millis(500);
    let cause = Admin::open(&settings)
        .unwrap()
        .cluster_id(short)
        .await
        .unwrap_err();
    assert!(cause.message.contains("Connection refused"), "{cause}");
    let opened = TransactionalProducer::open(&settings, "t", short).await;
    let error = opened.err().unwrap();
    assert!(matches!(error, TransactionError::Retry(_)), "{error:?}");
    let cause = error.cause();
    assert!(cause.message.contains("Connection refused"), "{cause}");
    let read = read_topic_to_end(&settings, "t", 0, short).await;
    let cause = read.unwrap_err();
    assert!(cause.message.contains("Connection refused"), "{cause}");
}
