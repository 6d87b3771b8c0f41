//! The number and length of faults: `dev/test` shows that each is survived, `dev/faults` goes as far as the promises.

use std::time::Duration;

/// The length of an outage: `CONNECT_TEST_OUTAGE_SECONDS`.
pub fn outage() -> Duration {
    Duration::from_secs(number("CONNECT_TEST_OUTAGE_SECONDS", 10))
}

/// The number of kills: `CONNECT_TEST_KILLS`.
pub fn kills() -> u64 {
    number("CONNECT_TEST_KILLS", 3)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}
