//! The contract of a user: what it accepts and rejects, and that fetched and generated users comply.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use connect_api::{JsonLimits, Positions, Source, SourceContext, SourcePlugin, Value};
use connect_contracts::{Contracts, JsonSchemaContract};
use connect_source_random_user::{Offline, RandomUser, RandomUserConfig};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/user")
}

fn contract(file: &str) -> Arc<JsonSchemaContract> {
    let contracts = Contracts::new(None).unwrap();
    contracts.compile_file(&folder().join(file)).unwrap()
}

fn fixtures(kind: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder().join(kind)).unwrap();
    let read = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        let value = Value::parse_json(bytes.into(), JsonLimits::default());
        (name, value.unwrap())
    };
    files.map(|file| read(file.unwrap())).collect()
}

#[test]
fn valid_fixtures_are_taken() {
    let contract = contract("schema.json");
    let fixtures = fixtures("valid");
    assert!(fixtures.len() >= 5);
    for (name, value) in fixtures {
        let checked = contract.validate(value.root());
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[test]
fn invalid_fixtures_are_refused() {
    let contract = contract("schema.json");
    let fixtures = fixtures("invalid");
    assert!(fixtures.len() >= 5);
    for (name, value) in fixtures {
        assert!(contract.validate(value.root()).is_err(), "{name}");
    }
}

#[test]
fn only_a_tagged_user_is_at_the_end_of_the_chain() {
    let contract = contract("tagged.schema.json");
    for (name, value) in fixtures("valid") {
        let tagged = name == "with-timestamp-and-tags.json";
        assert_eq!(contract.validate(value.root()).is_ok(), tagged, "{name}");
    }
    for (name, value) in fixtures("invalid") {
        assert!(contract.validate(value.root()).is_err(), "{name}");
    }
}

async fn check_users_from(url: String, results: u16) {
    let config = RandomUserConfig {
        url,
        results,
        offline: Offline::Generate,
        ..RandomUserConfig::default()
    };
    let context = SourceContext {
        connector: "random-user".into(),
        positions: Positions::default(),
    };
    let mut source = RandomUser::open(&config, context).await.unwrap();
    let polled = source.poll().await.unwrap();
    assert_eq!(polled.records.len(), usize::from(results));
    let contract = contract("schema.json");
    for record in polled.records {
        let value = record.value.unwrap();
        let result = contract.validate(value.root());
        assert!(result.is_ok(), "{result:?}: {value:?}");
    }
}

#[tokio::test]
async fn generated_users_keep_the_contract() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/", nobody.local_addr().unwrap());
    drop(nobody);
    check_users_from(url, 1_000).await;
}

#[tokio::test]
async fn fetched_users_keep_the_contract() {
    let answer = || async {
        let json = include_str!("answers/two-people.json");
        ([(CONTENT_TYPE, "application/json")], json)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/", listener.local_addr().unwrap());
    let router = Router::new().route("/api/", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    check_users_from(url, 2).await;
}
