//! One sale as JSON text: a function of the configuration and of the sale's number.

use std::fmt::Write as _;

use connect_api::time::format_ms;
use uuid::Builder;

use crate::clock::Clock;
use crate::config::PosSimulatorConfig;
use crate::dice::Dice;
use crate::shop::{self, CATALOGUE, Product};

const LARGEST_BASKET: usize = 5;
const REGISTERS: u32 = 8;
/// The distribution of quantities among ten customers.
const QUANTITIES: [u32; 10] = [1, 1, 1, 1, 1, 1, 2, 2, 3, 5];
const PAYMENT_METHODS: [&str; 10] = [
    "card", "card", "card", "card", "card", "cash", "cash", "cash", "mobile", "voucher",
];

/// Writes sales.
#[derive(Clone, Debug)]
pub(crate) struct Sales {
    seed: u64,
    stores: u32,
    customers: u32,
    clock: Clock,
}

impl Sales {
    pub(crate) fn new(config: &PosSimulatorConfig, clock: Clock) -> Sales {
        Sales {
            seed: config.seed,
            stores: config.stores.max(1),
            customers: config.customers.max(1),
            clock,
        }
    }

    /// Appends sale `number` (from 0) to `out`. The order of the draws is part of the meaning of a seed, so a new
    /// draw goes last.
    ///
    /// Money is in whole cents until it is written, so that a total is exactly the sum of its lines.
    pub(crate) fn write(&self, number: u64, out: &mut String) {
        let mut dice = Dice::of(self.seed, number);
        let transaction_id = Builder::from_custom_bytes(dice.bytes()).into_uuid();
        let moment = self.clock.moment(number, dice.fraction());
        let timestamp = format_ms(self.clock.to_unix_ms(moment));
        let store = 1 + dice.below(self.stores);
        let register = 1 + dice.below(REGISTERS);
        let customer = 1 + dice.below(self.customers);
        // Writing to a string does not fail.
        let _ = write!(
            out,
            r#"{{"transaction_id":"{transaction_id}","timestamp":"{timestamp}","store":{{"#
        );
        shop::write_store(store, out);
        let _ = write!(out, r#"}},"register":{register},"customer":{{"#);
        shop::write_customer(customer, out);
        out.push_str(r#"},"items":["#);
        let total_cents = write_basket(&mut dice, out);
        let payment_method = dice.pick(&PAYMENT_METHODS, "card");
        let _ = write!(
            out,
            r#"],"currency":"EUR","total":{},"payment_method":"{payment_method}"}}"#,
            Money(total_cents)
        );
    }
}

/// Writes 1 to 5 different products and returns their total.
fn write_basket(dice: &mut Dice, out: &mut String) -> u64 {
    let lines = 1 + dice.below(LARGEST_BASKET as u32) as usize;
    let mut in_basket = [usize::MAX; LARGEST_BASKET];
    let mut total_cents = 0;
    for line in 0..lines {
        let mut index = dice.below(CATALOGUE.len() as u32) as usize;
        while in_basket.contains(&index) {
            index = (index + 1) % CATALOGUE.len();
        }
        if let Some(free) = in_basket.get_mut(line) {
            *free = index;
        }
        let quantity = dice.pick(&QUANTITIES, 1);
        if let Some(product) = CATALOGUE.get(index) {
            out.push_str(if line == 0 { "{" } else { ",{" });
            total_cents += write_line(product, quantity, out);
            out.push('}');
        }
    }
    total_cents
}

fn write_line(product: &Product, quantity: u32, out: &mut String) -> u64 {
    let Product {
        sku,
        name,
        price_cents,
    } = product;
    let price_cents = u64::from(*price_cents);
    let line_cents = price_cents * u64::from(quantity);
    let _ = write!(
        out,
        r#""sku":"{sku}","name":"{name}","quantity":{quantity},"price":{},"line_total":{}"#,
        Money(price_cents),
        Money(line_cents)
    );
    line_cents
}

/// Cents, displayed as a number with two decimals.
struct Money(u64);

impl std::fmt::Display for Money {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_its_two_decimals() {
        let check = |cents, expected: &str| assert_eq!(Money(cents).to_string(), expected);
        check(0, "0.00");
        check(5, "0.05");
        check(90, "0.90");
        check(100, "1.00");
        check(123_456_789_012, "1234567890.12");
    }
}
