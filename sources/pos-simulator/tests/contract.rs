//! The contract of a sale: what it accepts and rejects, and that the simulator complies.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_api::{JsonLimits, Positions, Source, SourceContext, SourcePlugin, Value};
use connect_contracts::{Contracts, JsonSchemaContract};
use connect_source_pos_simulator::{PosSimulator, PosSimulatorConfig};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/pos-transaction")
}

fn contract() -> Arc<JsonSchemaContract> {
    let contracts = Contracts::new(None).unwrap();
    contracts
        .compile_file(&folder().join("schema.json"))
        .unwrap()
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
    let contract = contract();
    let fixtures = fixtures("valid");
    assert!(fixtures.len() >= 5);
    for (name, value) in fixtures {
        let checked = contract.validate(value.root());
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[test]
fn invalid_fixtures_are_refused() {
    let contract = contract();
    let fixtures = fixtures("invalid");
    assert!(fixtures.len() >= 5);
    for (name, value) in fixtures {
        assert!(contract.validate(value.root()).is_err(), "{name}");
    }
}

#[tokio::test]
async fn ten_thousand_sales_keep_the_contract() {
    let config = PosSimulatorConfig {
        rate: 0.0,
        count: Some(10_000),
        ..PosSimulatorConfig::default()
    };
    let context = SourceContext {
        connector: "pos-simulator".into(),
        positions: Positions::default(),
    };
    let mut source = PosSimulator::open(&config, context).await.unwrap();
    let contract = contract();
    let mut checked = 0;
    loop {
        let polled = source.poll().await.unwrap();
        for record in &polled.records {
            let value = record.value.as_ref().unwrap();
            let result = contract.validate(value.root());
            assert!(result.is_ok(), "{result:?}: {value:?}");
            checked += 1;
        }
        if polled.finished {
            break;
        }
    }
    assert_eq!(checked, 10_000);
}
