//! The keys of a `[source]` table of type `pos_simulator`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every key has a default: an empty table produces ten sales per second.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PosSimulatorConfig {
    /// The same seed produces the same sales. With another seed the simulator starts again at the first sale.
    pub seed: u64,
    /// Sales per second; 0 means as fast as possible. It changes when a sale is sent, never its content.
    #[schemars(range(min = 0.0, max = 10_000_000.0))]
    pub rate: f64,
    /// Stop after this many sales in total, including those before a restart. Without it the simulator never ends.
    pub count: Option<u64>,
    /// The number of stores.
    #[schemars(range(min = 1, max = 10_000))]
    pub stores: u32,
    /// The number of customers.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub customers: u32,
    /// The time of the first sale on the simulated clock, RFC 3339. The clock is simulated so that a time, too,
    /// depends only on the number of the sale; Kafka's own timestamp is the real time of sending.
    pub start: StartTime,
    /// Sales per day of the simulated clock. A day therefore takes `sales_per_day / rate` seconds; `rate * 86400`
    /// makes it a real day.
    #[schemars(range(min = 1, max = 1_000_000_000_000u64))]
    pub sales_per_day: u64,
    /// The weight of each hour of the simulated UTC day, from hour 0 to hour 23, in any unit: only the proportions
    /// count, and 0 means closed. `rate` is then the mean over a day. Without it all hours are equally busy.
    pub rate_by_hour: Option<[f64; 24]>,
}

impl Default for PosSimulatorConfig {
    fn default() -> Self {
        PosSimulatorConfig {
            seed: 1,
            rate: 10.0,
            count: None,
            stores: 12,
            customers: 5_000,
            start: StartTime {
                milliseconds: 1_767_225_600_000,
            },
            sales_per_day: 86_400,
            rate_by_hour: None,
        }
    }
}

/// A point in time, written as RFC 3339 with an offset.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "date-time"))]
pub struct StartTime {
    milliseconds: i64,
}

impl StartTime {
    /// Milliseconds since 1970, UTC.
    pub fn as_millis(self) -> i64 {
        self.milliseconds
    }
}

impl TryFrom<String> for StartTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        connect_api::time::parse_ms(&text)
            .map(|milliseconds| StartTime { milliseconds })
            .ok_or_else(|| {
                format!(
                    "`{text}` is not an RFC 3339 time with an offset, such as \"2026-01-01T00:00:00Z\""
                )
            })
    }
}

impl From<StartTime> for String {
    fn from(start: StartTime) -> String {
        connect_api::time::format_ms(start.milliseconds)
    }
}
