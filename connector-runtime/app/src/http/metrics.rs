//! `GET /metrics`: all series of a scrape come from one snapshot of the connectors, so that their counts add up.

use std::fmt::Error;

use connect_engine::{
    ConnectorState, ConnectorStatus, Counters, HISTOGRAM_BOUNDS, Histogram, LaneStatus,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

mod format;
mod process;

pub(super) use format::TextFormat;

const STATES: [ConnectorState; 6] = [
    ConnectorState::Running,
    ConnectorState::Waiting,
    ConnectorState::Failed,
    ConnectorState::Restarting,
    ConnectorState::Unassigned,
    ConnectorState::Stopped,
];

/// The response to a scrape.
pub(super) fn render(connectors: &[ConnectorStatus], format: TextFormat) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(connectors.to_vec())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(match format {
        TextFormat::OpenMetrics => text,
        TextFormat::Prometheus => format::prometheus(&text),
    })
}

#[derive(Debug)]
struct Scrape(Vec<ConnectorStatus>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let encoder = &mut encoder;
        self.counters(encoder)?;
        self.rejections(encoder)?;
        self.gauges(encoder)?;
        self.sinks(encoder)?;
        self.states(encoder)?;
        self.histogram(
            encoder,
            "connect_batch_commit",
            "From reading the first record of a batch until its progress is stored",
            |status| &status.batch_seconds,
        )?;
        self.histogram(
            encoder,
            "connect_end_to_end_latency",
            "From the time of a batch's last record until the batch is durable",
            |status| &status.end_to_end_seconds,
        )?;
        process::encode(encoder)?;
        let mut family =
            encoder.encode_descriptor("connect_build", "The program", None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }
}

type Count = (&'static str, &'static str, fn(&Counters) -> u64);

const COUNTERS: [Count; 8] = [
    ("connect_records_consumed", "Records read", |counters| {
        counters.consumed
    }),
    (
        "connect_records_delivered",
        "Records durably written",
        |counters| counters.delivered,
    ),
    (
        "connect_records_dead_lettered",
        "Records in the dead letter queue",
        |counters| counters.dead_lettered,
    ),
    (
        "connect_records_filtered",
        "Records filtered or discarded on purpose",
        |counters| counters.filtered,
    ),
    (
        "connect_records_given_back",
        "Records read and left to the next owner of the partition",
        |counters| counters.given_back,
    ),
    (
        "connect_rows_written",
        "Rows or records that the sink wrote",
        |counters| counters.rows,
    ),
    ("connect_batches", "Durable batches", |counters| {
        counters.batches
    }),
    ("connect_retries", "Writes that were retried", |counters| {
        counters.retries
    }),
];

impl Scrape {
    fn counters(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        for (name, help, count) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for status in &self.0 {
                family
                    .encode_family(&labels(status))?
                    .encode_counter::<NoLabelSet, _, u64>(&count(&status.counters), None)?;
            }
        }
        Ok(())
    }

    fn rejections(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "connect_records_rejected",
            "Records dead-lettered or discarded by their own fault, by stage and reason",
            None,
            MetricType::Counter,
        )?;
        for status in &self.0 {
            for ((stage, reason), count) in &status.rejections {
                let labels = [
                    ("connector", &*status.name),
                    ("stage", *stage),
                    ("reason", *reason),
                ];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        Ok(())
    }

    /// The same counts per `[[sinks]]` entry. They add up by themselves, because a record counts once in every sink.
    fn sinks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        for (name, help, count) in COUNTERS {
            let name = name.replacen("connect_", "connect_sink_", 1);
            let help = format!("{help}, by sink");
            let mut family = encoder.encode_descriptor(&name, &help, None, MetricType::Counter)?;
            for (status, lane) in self.lanes() {
                family
                    .encode_family(&sink_labels(status, lane))?
                    .encode_counter::<NoLabelSet, _, u64>(&count(&lane.counters), None)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "connect_sink_records_in_flight",
            "Records read and not yet completed, by sink",
            None,
            MetricType::Gauge,
        )?;
        for (status, lane) in self.lanes() {
            family
                .encode_family(&sink_labels(status, lane))?
                .encode_gauge(&lane.counters.in_flight)?;
        }
        Ok(())
    }

    fn lanes(&self) -> impl Iterator<Item = (&ConnectorStatus, &LaneStatus)> {
        let connectors = self.0.iter();
        connectors.flat_map(|status| status.lanes.iter().map(move |lane| (status, lane)))
    }

    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "connect_records_in_flight",
            "Records read and not yet completed",
            None,
            MetricType::Gauge,
        )?;
        for status in &self.0 {
            family
                .encode_family(&labels(status))?
                .encode_gauge(&status.counters.in_flight)?;
        }
        self.gauge(
            encoder,
            "connect_lag_records",
            "Records between the position and the end of the partitions",
            None,
            ConnectorStatus::lag_records,
        )?;
        self.gauge(
            encoder,
            "connect_lag",
            "Age of the oldest record that is not durable in every sink",
            Some(&Unit::Seconds),
            ConnectorStatus::lag_seconds,
        )?;
        self.partitions(encoder)?;
        self.waiting(encoder)?;
        self.gauge(
            encoder,
            "connect_configuration_differs",
            "1 while another process runs a different file under this connector's name",
            None,
            |status| Some(u32::from(status.differs)),
        )?;
        self.fingerprints(encoder)?;
        self.gauge(
            encoder,
            "connect_last_commit_timestamp",
            "When progress was last stored, since 1970",
            Some(&Unit::Seconds),
            |status| status.last_commit_ms.map(seconds),
        )
    }

    fn fingerprints(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "The beginning of the digest of the connector's file";
        let mut family =
            encoder.encode_descriptor("connect_configuration", help, None, MetricType::Gauge)?;
        for status in &self.0 {
            let fingerprint = status.fingerprint.to_string();
            let labels = [("connector", &*status.name), ("fingerprint", &fingerprint)];
            family.encode_family(&labels)?.encode_gauge(&1_u32)?;
        }
        Ok(())
    }

    fn waiting(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "connect_waiting_since",
            "When the connector began to wait, since 1970; absent while it does not wait",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        let waiting = self
            .0
            .iter()
            .filter(|status| status.state == ConnectorState::Waiting);
        for status in waiting {
            if let Some(reason) = &status.reason {
                let labels = [("connector", &*status.name), ("reason", reason.code)];
                family
                    .encode_family(&labels)?
                    .encode_gauge(&seconds(reason.since_ms))?;
            }
        }
        Ok(())
    }

    /// One series per connector that has the number.
    fn gauge<V: EncodeGaugeValue>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        number: impl Fn(&ConnectorStatus) -> Option<V>,
    ) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for status in &self.0 {
            if let Some(number) = number(status) {
                family
                    .encode_family(&labels(status))?
                    .encode_gauge(&number)?;
            }
        }
        Ok(())
    }

    fn partitions(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut family = encoder.encode_descriptor(
            "connect_partition_lag_records",
            "Records between the position and the end of a partition",
            None,
            MetricType::Gauge,
        )?;
        for status in &self.0 {
            for one in &status.partitions {
                let number = one.partition.to_string();
                let labels = [
                    ("connector", &*status.name),
                    ("topic", &*one.topic),
                    ("partition", &number),
                ];
                if let Some(lag) = one.lag_records {
                    family.encode_family(&labels)?.encode_gauge(&lag)?;
                }
            }
        }
        Ok(())
    }

    /// One series per state; exactly one of them is 1.
    fn states(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let help = "1 for the state that the connector is in";
        let mut family =
            encoder.encode_descriptor("connect_connector_state", help, None, MetricType::Gauge)?;
        for status in &self.0 {
            for state in STATES {
                let labels = [("connector", &*status.name), ("state", state.as_str())];
                let value = u32::from(status.state == state);
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn histogram(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        observed: fn(&ConnectorStatus) -> &Histogram,
    ) -> Result<(), Error> {
        let mut family =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for status in &self.0 {
            let Histogram {
                buckets,
                count,
                sum,
            } = observed(status);
            let below: u64 = buckets.iter().sum();
            let above = count.saturating_sub(below);
            let buckets: Vec<(f64, u64)> = HISTOGRAM_BOUNDS
                .into_iter()
                .zip(buckets.iter().copied())
                .chain([(f64::INFINITY, above)])
                .collect();
            family
                .encode_family(&labels(status))?
                .encode_histogram::<NoLabelSet>(*sum, *count, &buckets, None)?;
        }
        Ok(())
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}

fn sink_labels<'a>(
    status: &'a ConnectorStatus,
    lane: &'a LaneStatus,
) -> [(&'static str, &'a str); 2] {
    [("connector", &*status.name), ("sink", &*lane.name)]
}

fn labels(status: &ConnectorStatus) -> [(&'static str, &str); 1] {
    [("connector", &*status.name)]
}
