//! Requests to the schema registry, as producers send them.

use serde_json::{Value, json};

use crate::servers;

/// Registers a schema under a subject and returns its id. `kind` is `JSON` or `AVRO`.
pub async fn register(subject: &str, kind: &str, schema: &Value) -> u32 {
    register_text(subject, kind, &schema.to_string(), &[]).await
}

/// Registers a schema as text, with references by name to the first versions of subjects.
pub async fn register_text(
    subject: &str,
    kind: &str,
    schema: &str,
    references: &[(&str, &str)],
) -> u32 {
    let references = references
        .iter()
        .map(|(name, subject)| json!({ "name": name, "subject": subject, "version": 1 }));
    let references: Vec<Value> = references.collect();
    let url = format!("{}/subjects/{subject}/versions", servers::registry());
    let body = json!({ "schemaType": kind, "schema": schema, "references": references });
    let answer = reqwest::Client::new()
        .post(url)
        .json(&body)
        .send()
        .await
        .expect("the registry answers");
    let status = answer.status();
    let answer: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status}: {answer}");
    u32::try_from(answer["id"].as_u64().expect("an id")).expect("a small id")
}

/// The registry's wire format: a zero byte, the schema's id in four bytes, the payload.
pub fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(payload);
    bytes
}
