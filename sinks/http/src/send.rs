//! Requests: their bodies, their keys, and the records that they carry.

use bytes::Bytes;
use connect_api::{Cause, Dependency, Record};
use connect_http::{HttpClient, RequestError};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sha2::{Digest, Sha256};

use crate::address::UrlTemplate;
use crate::answer::Answer;
use crate::config::{Config, Method, Per};

/// The part of a response that is read to see why a record is rejected.
const READ_BYTES: u64 = 64 << 10;

/// One request, ready to send.
#[derive(Debug)]
pub(crate) struct Request {
    url: String,
    key: String,
    body: Bytes,
    /// Indexes of its records in the batch.
    pub(crate) records: Vec<usize>,
}

impl Request {
    /// What is the same when the same records come again.
    pub(crate) fn identity(&self) -> (String, Bytes) {
        (self.key.clone(), self.body.clone())
    }

    pub(crate) fn of_record(
        urls: &UrlTemplate,
        index: usize,
        record: &Record,
    ) -> Result<Request, Cause> {
        let origin = &record.origin;
        let value = record.root().ok_or_else(tombstone)?;
        let mut key = format!("{}/{}/{}", origin.topic, origin.partition, origin.offset);
        if record.ordinal > 0 {
            key.push_str(&format!("/{}", record.ordinal));
        }
        Ok(Request {
            url: urls.of_record(record)?,
            key,
            body: value.to_json().into(),
            records: vec![index],
        })
    }

    /// One request for records of one partition. Each has passed [`check_in_batch`].
    pub(crate) fn of_partition(
        urls: &UrlTemplate,
        records: &[(usize, &Record)],
    ) -> Result<Request, Cause> {
        let (_, first) = records.first().expect("a partition of a batch has records");
        let (_, last) = records.last().expect("a partition of a batch has records");
        let values: Vec<String> = records
            .iter()
            .filter_map(|(_, record)| record.root().map(|value| value.to_json()))
            .collect();
        let body = format!("[{}]", values.join(","));
        // The same range without a rejected record is another request.
        let digest = Sha256::digest(body.as_bytes());
        let digest: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let origin = &first.origin;
        Ok(Request {
            url: urls.of_record(first)?,
            key: format!(
                "{}/{}/{}-{}/{digest}",
                origin.topic, origin.partition, origin.offset, last.origin.offset
            ),
            body: body.into(),
            records: records.iter().map(|(index, _)| *index).collect(),
        })
    }
}

pub(crate) fn tombstone() -> Cause {
    Cause::new("a tombstone has no body to send")
        .with_help("filter it by `tombstone = \"skip\"` or a condition")
}

/// Sends requests with the headers of the configuration.
pub(crate) struct Sender {
    client: HttpClient,
    method: reqwest::Method,
    headers: HeaderMap,
    pub(crate) per: Per,
}

impl Sender {
    pub(crate) fn new(config: &Config, client: HttpClient) -> Result<Sender, String> {
        Ok(Sender {
            client,
            method: match config.method {
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
                Method::Patch => reqwest::Method::PATCH,
            },
            headers: config.header_map()?,
            per: config.per,
        })
    }

    /// What became of the request.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        let mut builder = self
            .client
            .client()
            .request(self.method.clone(), &request.url)
            .header("Idempotency-Key", &request.key)
            .headers(self.headers.clone())
            .body(request.body.clone());
        if !self.headers.contains_key(CONTENT_TYPE) {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        let response = match self.client.send(builder).await {
            Ok(response) => response,
            Err(error) => return Answer::Later(outage(&error), None),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        // Read to its end, so that the connection can be used again; a body that breaks off changes no status.
        let body = self.client.body(response, READ_BYTES).await;
        Answer::of(status, &headers, &body.unwrap_or_default())
    }
}

fn outage(error: &RequestError) -> Cause {
    let cause = Cause::new(error.message.clone());
    if error.is_certificate {
        cause.with_dependency(Dependency::Certificate)
    } else {
        cause.with_dependency(Dependency::Named("http"))
    }
}
