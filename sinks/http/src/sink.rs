//! The open sink: a batch becomes requests, and their answers one result.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use connect_api::{
    Batch, Cause, CheckContext, Counter, Explanation, Failure, Finding, Record, RejectedRecord,
    Result, Sink, SinkContext, SinkPlugin, TopicPartition, Written, async_trait,
};
use connect_http::{HttpClient, UrlHost};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use crate::address::UrlTemplate;
use crate::answer::Answer;
use crate::config::{self, Config, Per};
use crate::send::{Request, Sender, tombstone};

/// The plugin, as `main` registers it.
pub struct Http;

#[async_trait]
impl SinkPlugin for Http {
    const NAME: &'static str = "http";
    const ABOUT: &'static str = "posts records as JSON over HTTP";
    const EXAMPLE: &'static str = r#"[[sinks]]
type    = "http"
url     = "https://api.example.com/sales/{$.transaction_id}"
headers = { Authorization = "Bearer ${env:API_TOKEN}" }
"#;
    const EXPLANATIONS: &'static [Explanation] = config::EXPLANATIONS;
    type Config = Config;
    type Sink = HttpSink;

    fn check(config: &Config, _context: &CheckContext<'_>) -> Vec<Finding> {
        config.check()
    }

    async fn open(config: &Config, context: SinkContext) -> Result<HttpSink> {
        let fatal = |reason: String| Failure::Fatal(Cause::new(reason));
        let urls = UrlTemplate::new(&config.url, config.per).map_err(fatal)?;
        let host = UrlHost::parse(&urls.example(), config.reach()).map_err(fatal)?;
        let client = HttpClient::new(&host, config.timeout.get(), config.ca.as_ref());
        Ok(HttpSink {
            sender: Sender::new(config, client.map_err(fatal)?).map_err(fatal)?,
            urls,
            connections: config.connections,
            delivered: HashSet::new(),
            not_before: None,
            rows_written: context.rows_written,
        })
    }
}

/// An open sink.
pub struct HttpSink {
    sender: Sender,
    urls: UrlTemplate,
    connections: usize,
    /// Keys and bodies of requests that were delivered in a batch that failed as a whole: they are not sent again when it
    /// comes again. Bodies, because a topic that is recreated meanwhile has other records at the same offsets. Empty
    /// between batches that succeed.
    delivered: HashSet<(String, Bytes)>,
    /// When the server wants to be asked again.
    not_before: Option<Instant>,
    rows_written: Counter,
}

/// The results of a batch's requests.
#[derive(Default)]
struct Results {
    delivered: Vec<(String, Bytes)>,
    rejected: Vec<RejectedRecord>,
    /// The first answer that concerns the batch as a whole.
    failure: Option<Failure>,
    not_before: Option<Instant>,
}

#[async_trait]
impl Sink for HttpSink {
    async fn write(&mut self, batch: &Batch<'_>) -> Result<Written> {
        if let Some(at) = self.not_before {
            sleep_until(at).await;
            self.not_before = None;
        }
        let (partitions, rejected) = self.requests(batch);
        if !rejected.is_empty() {
            return Err(Failure::Refused(rejected));
        }
        let results = {
            let sender = &self.sender;
            let sent = stream::iter(partitions)
                .map(|requests| send_in_order(sender, requests))
                .buffer_unordered(self.connections)
                .collect::<Vec<Results>>();
            sent.await
                .into_iter()
                .fold(Results::default(), Results::and)
        };
        self.delivered.extend(results.delivered);
        self.not_before = results.not_before;
        if let Some(failure) = results.failure {
            return Err(failure);
        }
        if !results.rejected.is_empty() {
            let mut rejected = results.rejected;
            rejected.sort_by_key(|refusal| refusal.record);
            return Err(Failure::Refused(rejected));
        }
        self.delivered.clear();
        self.rows_written.add(batch.records.len() as u64);
        Ok(Written::Durable)
    }
}

impl HttpSink {
    /// The requests of each partition in their order, and the records of which no request can be made.
    fn requests(&self, batch: &Batch<'_>) -> (Vec<Vec<Request>>, Vec<RejectedRecord>) {
        let mut partitions: BTreeMap<TopicPartition, Vec<(usize, &Record)>> = BTreeMap::new();
        for (index, record) in batch.records.iter().enumerate() {
            let partition = partitions.entry(record.topic_partition()).or_default();
            partition.push((index, *record));
        }
        let mut rejected = Vec::new();
        let mut requests = Vec::new();
        for records in partitions.values() {
            let made = match self.sender.per {
                Per::Record => self.one_for_each(records, &mut rejected),
                Per::Batch => self.one_for_all(records, &mut rejected),
            };
            let fresh = made.into_iter();
            requests.push(
                fresh
                    .filter(|one| !self.delivered.contains(&one.identity()))
                    .collect(),
            );
        }
        rejected.sort_by_key(|refusal| refusal.record);
        (requests, rejected)
    }

    fn one_for_each(
        &self,
        records: &[(usize, &Record)],
        rejected: &mut Vec<RejectedRecord>,
    ) -> Vec<Request> {
        let mut requests = Vec::with_capacity(records.len());
        for (index, record) in records {
            match Request::of_record(&self.urls, *index, record) {
                Ok(request) => requests.push(request),
                Err(cause) => rejected.push(RejectedRecord {
                    record: *index,
                    cause,
                }),
            }
        }
        requests
    }

    fn one_for_all(
        &self,
        records: &[(usize, &Record)],
        rejected: &mut Vec<RejectedRecord>,
    ) -> Vec<Request> {
        let tombstones = records.iter().filter(|(_, record)| record.value.is_none());
        let before = rejected.len();
        rejected.extend(tombstones.map(|(index, _)| RejectedRecord {
            record: *index,
            cause: tombstone(),
        }));
        if rejected.len() > before {
            return Vec::new();
        }
        match Request::of_partition(&self.urls, records) {
            Ok(request) => vec![request],
            Err(cause) => {
                let every = records.iter();
                rejected.extend(every.map(|(index, _)| RejectedRecord {
                    record: *index,
                    cause: cause.clone(),
                }));
                Vec::new()
            }
        }
    }
}

/// Sends the requests of a partition one after another. A rejection does not stop those that follow; anything else does,
/// because a later record must not overtake an earlier one.
async fn send_in_order(sender: &Sender, requests: Vec<Request>) -> Results {
    let mut results = Results::default();
    for request in requests {
        match sender.send(&request).await {
            Answer::Delivered => results.delivered.push(request.identity()),
            Answer::Rejected(cause) => match request.records[..] {
                [record] => results.rejected.push(RejectedRecord { record, cause }),
                _ => results.failure = Some(Failure::RefusedSomewhere(cause)),
            },
            Answer::TooLarge(cause) => match request.records[..] {
                [record] => results.rejected.push(RejectedRecord { record, cause }),
                _ => results.failure = Some(Failure::TooMuch(cause)),
            },
            Answer::Later(cause, wait) => {
                results.not_before = wait.map(|wait| Instant::now() + wait);
                results.failure = Some(Failure::Retry(cause));
            }
            Answer::Redirected(cause) => results.failure = Some(Failure::Fatal(cause)),
        }
        if results.failure.is_some() {
            break;
        }
    }
    results
}

impl Results {
    /// The results of several partitions. What stops the connector or waits goes before what concerns single records.
    fn and(mut self, other: Results) -> Results {
        self.delivered.extend(other.delivered);
        self.rejected.extend(other.rejected);
        self.not_before = self.not_before.max(other.not_before);
        self.failure = match (self.failure, other.failure) {
            (Some(Failure::Fatal(cause)), _) | (_, Some(Failure::Fatal(cause))) => {
                Some(Failure::Fatal(cause))
            }
            (Some(Failure::Retry(cause)), _) | (_, Some(Failure::Retry(cause))) => {
                Some(Failure::Retry(cause))
            }
            (one, another) => one.or(another),
        };
        self
    }
}
