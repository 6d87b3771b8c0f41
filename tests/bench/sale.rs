//! The record of the benchmark: about 300 bytes of JSON, 13 columns. Sale `n` is a function of `n` alone, so that
//! every method writes the same rows.

/// Columns of the table, in the order of [`Sale`].
pub(crate) const COLUMNS: [(&str, &str); 13] = [
    ("sale_id", "text"),
    ("store_id", "integer"),
    ("register", "integer"),
    ("customer_id", "bigint"),
    ("loyalty_points", "bigint"),
    ("sku", "text"),
    ("product", "text"),
    ("quantity", "integer"),
    ("price", "numeric(12, 2)"),
    ("total", "numeric(12, 2)"),
    ("sold_at", "timestamptz"),
    ("received_at", "timestamptz"),
    ("voided", "boolean"),
];

const PRODUCTS: [&str; 5] = [
    "Wholemeal bread, sliced, 750 g",
    "Espresso beans, dark roast, 1 kg",
    "Frying pan, steel, 28 cm",
    "Olive oil, extra virgin, 0.5 l",
    "Toothbrush, medium, pack of two",
];

/// Milliseconds of 2026-01-01T00:00:00Z since 1970.
const BEGINNING_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

pub(crate) struct Sale {
    pub(crate) sale_id: String,
    pub(crate) store_id: i32,
    pub(crate) register: i32,
    pub(crate) customer_id: i64,
    pub(crate) loyalty_points: i64,
    pub(crate) sku: String,
    pub(crate) product: &'static str,
    pub(crate) quantity: i32,
    pub(crate) price_cents: i64,
    pub(crate) total_cents: i64,
    pub(crate) sold_at_ms: i64,
    pub(crate) received_at_ms: i64,
    pub(crate) voided: bool,
}

impl Sale {
    pub(crate) fn number(n: u64) -> Sale {
        // Knuth's multiplicative hash, which is spread evenly and the same on every machine.
        let spread = n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(29);
        let below = |limit: u64, salt: u32| {
            i64::try_from(spread.rotate_left(salt) % limit).expect("a small number")
        };
        let small = |limit, salt| i32::try_from(below(limit, salt)).expect("a small number");
        let quantity = small(9, 3) + 1;
        let price_cents = below(20_000, 11) + 1;
        // One day of sales, so that the time of day needs no calendar.
        let sold_at_ms = BEGINNING_MS + i64::try_from(n).expect("not that many") % DAY_MS;
        Sale {
            sale_id: format!("sale-{spread:016x}"),
            store_id: small(400, 17),
            register: small(12, 23),
            customer_id: 9_000_000_000 + below(5_000_000, 31),
            loyalty_points: below(100_000, 37),
            sku: format!("SKU-{:06}", below(1_000_000, 41)),
            product: PRODUCTS[usize::try_from(below(5, 47)).expect("a small number")],
            quantity,
            price_cents,
            total_cents: price_cents * i64::from(quantity),
            sold_at_ms,
            received_at_ms: BEGINNING_MS + (sold_at_ms - BEGINNING_MS + 137) % DAY_MS,
            voided: below(50, 53) == 0,
        }
    }

    pub(crate) fn json(&self) -> String {
        format!(
            concat!(
                r#"{{"sale_id":"{}","store_id":{},"register":{},"customer_id":{},"loyalty_points":{},"#,
                r#""sku":"{}","product":"{}","quantity":{},"price":{},"total":{},"#,
                r#""sold_at":"{}","received_at":"{}","voided":{}}}"#
            ),
            self.sale_id,
            self.store_id,
            self.register,
            self.customer_id,
            self.loyalty_points,
            self.sku,
            self.product,
            self.quantity,
            decimal(self.price_cents),
            decimal(self.total_cents),
            time(self.sold_at_ms),
            time(self.received_at_ms),
            self.voided
        )
    }
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn time(at_ms: i64) -> String {
    let of_day = at_ms - BEGINNING_MS;
    let (seconds, milliseconds) = (of_day / 1000, of_day % 1000);
    format!(
        "2026-01-01T{:02}:{:02}:{:02}.{milliseconds:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The contract that every record is checked against.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "sale_id": { "type": "string", "minLength": 1 },
    "store_id": { "type": "integer", "minimum": 0, "maximum": 2147483647 },
    "register": { "type": "integer", "minimum": 0, "maximum": 2147483647 },
    "customer_id": { "type": "integer", "minimum": 0 },
    "loyalty_points": { "type": "integer", "minimum": 0 },
    "sku": { "type": "string", "minLength": 1, "maxLength": 20 },
    "product": { "type": "string" },
    "quantity": { "type": "integer", "minimum": 1, "maximum": 1000 },
    "price": { "type": "number", "minimum": 0 },
    "total": { "type": "number", "minimum": 0 },
    "sold_at": { "type": "string", "format": "date-time" },
    "received_at": { "type": "string", "format": "date-time" },
    "voided": { "type": "boolean" }
  },
  "required": ["sale_id", "store_id", "register", "customer_id", "loyalty_points", "sku", "product",
    "quantity", "price", "total", "sold_at", "received_at", "voided"],
  "additionalProperties": false
}"#;
