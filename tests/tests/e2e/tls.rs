//! A server with an unacceptable certificate or protocol is refused, and the reason is shown within seconds.

use std::time::Duration;

use connect_tests::folder::Folder;
use connect_tests::kafka::Topic;
use connect_tests::load::Producer;
use connect_tests::process::{ConnectProcess, Launch};
use connect_tests::registry::framed;
use connect_tests::tls::{Authorities, Preface, Presents, TlsServer};
use connect_tests::{eventually, http, servers};

use crate::payments;

/// A start takes a second, and other tests share the machine.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// What a server presents, and words of which the reason contains one; none if the server is acceptable.
const CASES: [(Presents, &[&str]); 5] = [
    (Presents::Good, &[]),
    (
        Presents::ForeignAuthority,
        &["unable to get local issuer", OF_LIBRDKAFKA],
    ),
    (Presents::ForeignHost, &["hostname mismatch", OF_LIBRDKAFKA]),
    (
        Presents::Expired,
        &["certificate has expired", OF_LIBRDKAFKA],
    ),
    (
        Presents::Tls11,
        &["unsupported protocol", "alert protocol version"],
    ),
];

/// Its message for every certificate that it refuses.
const OF_LIBRDKAFKA: &str = "broker certificate could not be verified";

/// A connector and the only TLS server that it needs.
struct Client {
    /// Random, like its group, because a killed member stays in its group for a while.
    connector: String,
    server: TlsServer,
}

/// A running `connect` whose connectors reach TLS servers that all present the same.
struct Scene {
    process: ConnectProcess,
    port: u16,
    clients: Vec<Client>,
    _folder: Folder,
}

impl Scene {
    fn start(
        folder: Folder,
        settings: &str,
        authorities: &Authorities,
        clients: Vec<Client>,
    ) -> Scene {
        let port = http::free_port();
        folder.settings(format!(
            "{settings}\n[http]\naddress = \"127.0.0.1:{port}\"\n"
        ));
        let authority = authorities.file().display().to_string();
        let process = Launch::run(&folder)
            // The machine's authorities, for clients without a setting for their own.
            .variable("SSL_CERT_FILE", authority)
            .start();
        Scene {
            process,
            port,
            clients,
            _folder: folder,
        }
    }

    /// Checks the case: no client accepts an unacceptable server, and each waits and says why.
    async fn check(self, presents: Presents, words: &[&str]) {
        for Client {
            connector: name,
            server,
        } in &self.clients
        {
            if words.is_empty() {
                let what = format!("{name} accepts a good server");
                eventually(&what, payments::SETTLED, async || {
                    (server.accepted() > 0).then_some(())
                })
                .await;
                continue;
            }
            let says_why = |text: &str| words.iter().any(|word| text.contains(word));
            let what = format!("{name} waits and shows why it refuses {presents:?}");
            eventually(&what, SHOWN_WITHIN, async || {
                let connector = http::connector(self.port, name).await?;
                let waits = connector["state"] == "WAITING";
                (waits && says_why(&connector["reason"].to_string())).then_some(())
            })
            .await;
            let logged = |line: &str| line.contains(name.as_str()) && says_why(line);
            let what = format!("{name} logs why it refuses {presents:?}");
            eventually(&what, SHOWN_WITHIN, async || {
                self.process.stderr().lines().any(logged).then_some(())
            })
            .await;
            assert_eq!(server.accepted(), 0, "{name}, {presents:?}");
        }
    }
}

const RANDOM_USER: &str = r#"key = "$.id"
[source]
type = "random_user"
every = "1s"
"#;

/// Kafka is the test broker; the other servers of the connectors are the TLS servers.
async fn servers_other_than_kafka(authorities: &Authorities, presents: Presents) -> Scene {
    let topic = Topic::create("tls", 1).await;
    let name = topic.clone();
    tokio::task::spawn_blocking(move || {
        let producer = Producer::new();
        let value = framed(1, b"{}");
        producer.send(&name, 0, "id", &value, &value);
        producer.finish();
    })
    .await
    .unwrap();
    let folder = payments::folder();
    let authority = authorities.file().display().to_string();
    let client = |word, preface| Client {
        connector: Topic::not_created(word).name().to_owned(),
        server: authorities.serve(presents, preface),
    };
    let clients = vec![
        client("tls-postgres", Preface::Postgres),
        client("tls-registry", Preface::Nothing),
        client("tls-source", Preface::Nothing),
    ];
    let [postgres, registry, source] = &clients[..] else {
        unreachable!("three clients")
    };
    let port = postgres.server.port();
    folder.connector(
        &postgres.connector,
        payments::connector(&topic, "", "").replace(
            "url = \"${env:DATABASE_URL}\"",
            &format!(
                "url = \"postgres://u:p@localhost:{port}/d\"\nsslmode = \"verify-full\"\nca = \"{authority}\""
            ),
        ),
    );
    folder.connector(
        &registry.connector,
        format!(
            "topics = [\"{}\"]\n[value]\nformat = \"json\"\nregistry = {{}}\n[[sinks]]\ntype = \"stdout\"\n",
            topic.name()
        ),
    );
    let users = Topic::create("tls-users", 1).await;
    folder.connector(
        &source.connector,
        format!(
            "topic = \"{}\"\n{RANDOM_USER}url = \"https://localhost:{}/api/\"\n",
            users.name(),
            source.server.port()
        ),
    );
    let url = format!("https://localhost:{}", registry.server.port());
    let settings = format!("[registry]\nurl = \"{url}\"\nca_file = \"{authority}\"\n");
    Scene::start(folder, &settings, authorities, clients)
}

/// Kafka itself is the TLS server, of one connector that reads and one that writes.
fn kafka_itself(authorities: &Authorities, presents: Presents) -> Scene {
    let folder = Folder::new();
    let server = authorities.serve(presents, Preface::Nothing);
    let clients = ["tls-reading", "tls-writing"].map(|name| Client {
        connector: name.to_owned(),
        server: server.clone(),
    });
    folder.connector(
        "tls-reading",
        "topics = [\"tls\"]\n[value]\nformat = \"json\"\n[[sinks]]\ntype = \"stdout\"\n",
    );
    folder.connector(
        "tls-writing",
        format!("topic = \"tls\"\n{RANDOM_USER}offline = \"generate\"\n"),
    );
    let settings = format!(
        "[kafka]\n\"bootstrap.servers\" = \"localhost:{}\"\n\"security.protocol\" = \"SSL\"\n\"ssl.ca.location\" = \"{}\"\n",
        server.port(),
        authorities.file().display()
    );
    Scene::start(folder, &settings, authorities, clients.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_the_registry_and_a_source_are_refused_with_the_reason() {
    let _turn = servers::shared().await;
    let authorities = Authorities::new();
    for (presents, words) in CASES {
        let scene = servers_other_than_kafka(&authorities, presents).await;
        scene.check(presents, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_refused_with_the_reason() {
    let _turn = servers::shared().await;
    let authorities = Authorities::new();
    for (presents, words) in CASES {
        let scene = kafka_itself(&authorities, presents);
        scene.check(presents, words).await;
    }
}
