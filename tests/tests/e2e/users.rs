//! Seed system: the random users. They pass through four topics, each id exactly once in each, despite kills, and a
//! replay gives them the same tags.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_tests::database::Database;
use connect_tests::kafka::{Isolation, Topic};
use connect_tests::process::Launch;
use connect_tests::{eventually, servers};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::{payments, shipped};

/// Kafka to Kafka without any change: one more hop.
fn hop(from: &Topic, to: &Topic, transforms: &str) -> String {
    format!(
        "topics = [\"{}\"]\n{transforms}\n[[sinks]]\ntype = \"kafka\"\ntopic = \"{}\"\nkey = \"#key\"\n\
         [create_topics]\npartitions = 3\n",
        from.name(),
        to.name()
    )
}

/// The ids of a topic, each with its record; fails if one occurs twice.
async fn users(topic: &Topic) -> BTreeMap<String, Value> {
    let mut users = BTreeMap::new();
    for message in topic.read(Isolation::Committed).await {
        let user = message.json();
        let id = user["id"].as_str().unwrap().to_owned();
        assert_eq!(
            message.key.as_deref(),
            Some(id.as_bytes()),
            "the key is the id"
        );
        let twice = users.insert(id, user);
        assert!(twice.is_none(), "twice in {}: {twice:?}", topic.name());
    }
    users
}

fn ids(users: &BTreeMap<String, Value>) -> BTreeSet<&String> {
    users.keys().collect()
}

fn tags(user: &Value) -> (&str, &str) {
    (
        user["major"].as_str().unwrap(),
        user["hobby"].as_str().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn users_pass_through_four_topics_once_each_with_kills_in_between() {
    let _turn = servers::shared().await;
    let names = [
        "users_info",
        "enriched_timestamp",
        "enriched_tags",
        "users_ready",
    ];
    let topics = names.map(Topic::not_created);
    let [fetched, stamped, tagged, ready] = &topics;
    let dead = Topic::create("users-dlq", 1).await;
    let database = Database::create().await;
    let quoted = |topic: &Topic| format!("\"{}\"", topic.name());
    let connectors = [
        "random-user",
        "users-timestamp",
        "users-tags",
        "users-to-postgres",
    ];
    let own = connectors.map(Topic::not_created);
    let folder = shipped::folder(
        &connectors,
        &[
            ("\"enriched_users_info_randomtopics.dlq\"", &quoted(&dead)),
            (
                "topics = [\"enriched_users_info_randomtopics\"]",
                &format!("topics = [{}]", quoted(ready)),
            ),
            ("\"enriched_users_info_randomtopics\"", &quoted(tagged)),
            ("\"enriched_users_info_timestamp\"", &quoted(stamped)),
            ("\"users_info\"", &quoted(fetched)),
            ("\"random-user\"", &quoted(&own[0])),
            ("\"users-timestamp\"", &quoted(&own[1])),
            ("\"users-tags\"", &quoted(&own[2])),
            ("\"users-to-postgres\"", &quoted(&own[3])),
            // No server listens there, so users are generated: the same path without the internet.
            (
                "offline = \"generate\"",
                "offline = \"generate\"\nurl = \"http://127.0.0.1:1/api/\"",
            ),
            ("every   = \"10s\"", "every   = \"1s\""),
            ("results = 10", "results = 100"),
        ],
    );
    folder.connector("users-ready", hop(tagged, ready, ""));
    let launch = Launch::run(&folder).database(database.url());

    let mut random = ChaCha8Rng::seed_from_u64(3);
    for kill in 0..5 {
        let progress = database.count("users").await + random.random_range(50..600);
        let mut process = launch.start();
        eventually(
            &format!("{progress} users before kill {kill}"),
            payments::SETTLED,
            async || (database.count("users").await >= progress).then_some(()),
        )
        .await;
        process.kill();
    }
    let mut process = launch.start();
    let before = database.count("users").await;
    eventually("users after the last kill", payments::SETTLED, async || {
        (database.count("users").await > before).then_some(())
    })
    .await;

    // A second connector over the same records, which replays the tags.
    assert_eq!(process.stop(Duration::from_secs(60)).await, 0);
    std::fs::remove_file(folder.connectors().join("random-user.toml")).unwrap();
    let again = Topic::not_created("tags-again");
    let text = std::fs::read_to_string(folder.connectors().join("users-tags.toml")).unwrap();
    folder.connector(
        "tags-again",
        text.replace(&quoted(tagged), &quoted(&again))
            .replace(&quoted(&own[2]), &quoted(&Topic::not_created("tags-again"))),
    );
    let mut process = launch.start();
    let all = users(fetched).await;
    eventually("every user everywhere", payments::SETTLED, async || {
        let arrived = usize::try_from(database.count("users").await).unwrap() >= all.len()
            && again.read(Isolation::Committed).await.len() >= all.len();
        arrived.then_some(())
    })
    .await;
    assert_eq!(process.stop(Duration::from_secs(60)).await, 0);

    for topic in &topics {
        assert_eq!(ids(&users(topic).await), ids(&all), "{}", topic.name());
    }
    let (first, second) = (users(tagged).await, users(&again).await);
    for (id, user) in &first {
        assert_eq!(tags(user), tags(&second[id]), "tags of {id} on replay");
    }
    let different: BTreeSet<_> = first.values().map(tags).collect();
    assert!(different.len() > 20, "tags are random: {different:?}");
    for (id, user) in users(ready).await {
        let row = database
            .text(&format!(
                "SELECT concat_ws('|', major, hobby, email) FROM users WHERE id = '{id}'"
            ))
            .await;
        let (major, hobby) = tags(&user);
        assert_eq!(
            row,
            format!("{major}|{hobby}|{}", user["email"].as_str().unwrap())
        );
    }
    assert!(payments::dead_letters(&dead).await.is_empty());
    database.remove().await;
}
