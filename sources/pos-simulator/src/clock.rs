//! The simulated clock: maps the number of a sale to a day and a time.

use crate::config::PosSimulatorConfig;

const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: i64 = 86_400_000;

/// Maps the number of a sale to a time. A sale's index within its day is a quantile, and the curve of the hours turns
/// the quantile into a time of day: busy hours cover more quantiles.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// The midnight (UTC) at or before `start`.
    midnight_ms: i64,
    /// The number of sales that this first day would have had before `start`.
    skipped: u64,
    sales_per_day: u64,
    open_hours: Vec<OpenHour>,
}

/// An hour with sales.
#[derive(Clone, Copy, Debug)]
struct OpenHour {
    /// 0 to 23.
    hour: u32,
    /// The share of the day's sales before this hour.
    before: f64,
    /// The share of the day's sales in this hour; all shares add up to 1.
    share: f64,
}

/// A time on the simulated clock: whole days since the first midnight, and milliseconds into the day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) days: u64,
    pub(crate) milliseconds: f64,
}

impl Clock {
    /// `Err` if no hour of the curve has sales.
    pub(crate) fn new(config: &PosSimulatorConfig) -> Result<Clock, String> {
        let open_hours = open_hours(config.rate_by_hour.unwrap_or([1.0; 24]))?;
        let start_ms = config.start.as_millis();
        let sales_per_day = config.sales_per_day.max(1);
        let share_before_start = share_before(&open_hours, start_ms.rem_euclid(DAY_MS) as f64);
        Ok(Clock {
            midnight_ms: start_ms - start_ms.rem_euclid(DAY_MS),
            skipped: (share_before_start * sales_per_day as f64).ceil() as u64,
            sales_per_day,
            open_hours,
        })
    }

    /// The time of sale `number`; `within` (at least 0, less than 1) is the fraction of the way to the next sale.
    pub(crate) fn moment(&self, number: u64, within: f64) -> Moment {
        let index = number.saturating_add(self.skipped);
        let of_day = (index % self.sales_per_day) as f64 + within;
        let quantile = of_day / self.sales_per_day as f64;
        let found = self
            .open_hours
            .iter()
            .rev()
            .find(|open| open.before <= quantile);
        let milliseconds = found.map_or(0.0, |open| {
            let inside = ((quantile - open.before) / open.share).min(1.0);
            (f64::from(open.hour) + inside) * HOUR_MS
        });
        Moment {
            days: index / self.sales_per_day,
            milliseconds,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn to_unix_ms(&self, moment: Moment) -> i64 {
        let days = i64::try_from(moment.days).unwrap_or(i64::MAX);
        self.midnight_ms
            .saturating_add(days.saturating_mul(DAY_MS))
            .saturating_add(moment.milliseconds as i64)
    }

    pub(crate) fn sales_per_day(&self) -> u64 {
        self.sales_per_day
    }
}

fn open_hours(weights: [f64; 24]) -> Result<Vec<OpenHour>, String> {
    if let Some(hour) = weights.iter().position(|weight| *weight < 0.0) {
        return Err(format!(
            "`rate_by_hour` is below 0 in hour {hour}; 0 means closed"
        ));
    }
    let sum: f64 = weights.iter().sum();
    if !sum.is_finite() || sum <= 0.0 {
        return Err("`rate_by_hour` is 0 in all 24 hours, so there would be no sales".into());
    }
    let mut before = 0.0;
    let mut open_hours = Vec::with_capacity(weights.len());
    for (hour, weight) in (0..).zip(weights) {
        let share = weight / sum;
        if share > 0.0 {
            open_hours.push(OpenHour {
                hour,
                before,
                share,
            });
        }
        before += share;
    }
    Ok(open_hours)
}

/// The share of a day's sales before this time of day.
fn share_before(open_hours: &[OpenHour], milliseconds: f64) -> f64 {
    let of_hour = |open: &OpenHour| {
        let inside = milliseconds / HOUR_MS - f64::from(open.hour);
        open.share * inside.clamp(0.0, 1.0)
    };
    open_hours.iter().map(of_hour).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn clock(start: &str, sales_per_day: u64, rate_by_hour: Option<[f64; 24]>) -> Clock {
        Clock::new(&PosSimulatorConfig {
            start: start.to_owned().try_into().unwrap(),
            sales_per_day,
            rate_by_hour,
            ..PosSimulatorConfig::default()
        })
        .unwrap()
    }

    fn time(clock: &Clock, number: u64) -> String {
        connect_api::time::format_ms(clock.to_unix_ms(clock.moment(number, 0.0)))
    }

    #[test]
    fn without_a_curve_sales_are_evenly_spaced() {
        let check = |start: &str, number: u64, expected: &str| {
            assert_eq!(time(&clock(start, 86_400, None), number), expected);
        };
        check("2026-01-01T00:00:00Z", 0, "2026-01-01T00:00:00.000Z");
        check("2026-01-01T00:00:00Z", 1, "2026-01-01T00:00:01.000Z");
        check("2026-01-01T00:00:00Z", 86_400, "2026-01-02T00:00:00.000Z");
        check("2026-01-01T12:00:00+02:00", 0, "2026-01-01T10:00:00.000Z");
        check("2026-01-01T23:59:59Z", 1, "2026-01-02T00:00:00.000Z");
        check("1960-02-29T00:00:00Z", 1, "1960-02-29T00:00:01.000Z");
    }

    #[test]
    fn hours_sell_in_proportion_and_closed_hours_sell_nothing() {
        let mut curve = [0.0; 24];
        (curve[9], curve[12], curve[17]) = (1.0, 4.0, 3.0);
        let clock = clock("2026-01-01T00:00:00Z", 8_000, Some(curve));
        let mut sold = [0; 24];
        let mut last = 0.0;
        for number in 0..8_000 {
            let moment = clock.moment(number, 0.5);
            assert!(moment.milliseconds > last, "time runs forward");
            last = moment.milliseconds;
            sold[(moment.milliseconds / HOUR_MS) as usize] += 1;
        }
        assert_eq!(
            (sold[9], sold[12], sold[17]),
            (1_000, 4_000, 3_000),
            "{sold:?}"
        );
    }

    #[test]
    fn a_start_within_the_day_begins_there() {
        let mut curve = [1.0; 24];
        curve[10] = 0.0;
        let clock = clock("2026-01-01T10:30:00Z", 23_000, Some(curve));
        assert_eq!(
            time(&clock, 0),
            "2026-01-01T11:00:00.000Z",
            "hour 10 is closed"
        );
        assert_eq!(time(&clock, 13_000), "2026-01-02T00:00:00.000Z");
    }

    #[test]
    fn useless_curves_are_refused() {
        let with = |curve| {
            Clock::new(&PosSimulatorConfig {
                rate_by_hour: Some(curve),
                ..Default::default()
            })
        };
        assert!(with([0.0; 24]).unwrap_err().contains("all 24 hours"));
        let mut curve = [1.0; 24];
        curve[3] = -1.0;
        assert!(with(curve).unwrap_err().contains("hour 3"));
    }
}
