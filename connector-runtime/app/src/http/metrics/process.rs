//! Resource use of the process, under the names of Prometheus's own clients.

use std::fmt::Error;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::time::{ClockId, clock_gettime};

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    let help = "Processor time used, in user and system mode";
    let family = encoder.encode_descriptor(
        "process_cpu",
        help,
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    ConstCounter::new(seconds).encode(family)?;
    let Some(bytes) = resident_bytes() else {
        return Ok(());
    };
    let family = encoder.encode_descriptor(
        "process_resident_memory",
        "Memory that is not swapped out",
        Some(&Unit::Bytes),
        MetricType::Gauge,
    )?;
    ConstGauge::new(bytes as i64).encode(family)
}

/// Reads the second number of `/proc/self/statm`, which counts pages. `None` on systems other than Linux.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
