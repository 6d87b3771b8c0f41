//! The simulated chain: its stores, customers and catalogue.

use std::fmt::Write as _;

/// A product of the catalogue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    pub(crate) price_cents: u32,
}

const fn product(sku: &'static str, name: &'static str, price_cents: u32) -> Product {
    Product {
        sku,
        name,
        price_cents,
    }
}

/// Some names have accents, an umlaut or an ideograph, as in any real catalogue.
pub(crate) const CATALOGUE: [Product; 48] = [
    product("BAK-1001", "Sourdough bread", 420),
    product("BAK-1002", "Baguette", 165),
    product("BAK-1003", "Brötchen, six", 240),
    product("BAK-1004", "Croissant", 139),
    product("BAK-1005", "Apple cake", 895),
    product("DAI-1101", "Milk 1 l", 119),
    product("DAI-1102", "Butter 250 g", 259),
    product("DAI-1103", "Crème fraîche", 149),
    product("DAI-1104", "Gruyère 200 g", 499),
    product("DAI-1105", "Yoghurt, four", 199),
    product("DAI-1106", "Eggs, ten", 329),
    product("FRU-1201", "Bananas 1 kg", 179),
    product("FRU-1202", "Apples 1 kg", 249),
    product("FRU-1203", "Oranges 2 kg", 399),
    product("FRU-1204", "Blueberries 250 g", 349),
    product("FRU-1205", "Lemons, four", 159),
    product("VEG-1301", "Potatoes 2.5 kg", 299),
    product("VEG-1302", "Carrots 1 kg", 129),
    product("VEG-1303", "Tomatoes 500 g", 219),
    product("VEG-1304", "Cucumber", 99),
    product("VEG-1305", "Onions 1 kg", 139),
    product("VEG-1306", "Spinach 450 g", 189),
    product("PAN-1401", "Spaghetti 500 g", 109),
    product("PAN-1402", "Rice 1 kg", 229),
    product("PAN-1403", "Olive oil 750 ml", 1099),
    product("PAN-1404", "Jalapeños", 199),
    product("PAN-1405", "Chickpeas", 89),
    product("PAN-1406", "Flour 1 kg", 95),
    product("PAN-1407", "Honey 500 g", 649),
    product("PAN-1408", "Sea salt", 79),
    product("DRI-1501", "Coffee 500 g", 749),
    product("DRI-1502", "Green tea 緑茶", 549),
    product("DRI-1503", "Mineral water, six", 299),
    product("DRI-1504", "Orange juice 1 l", 229),
    product("DRI-1505", "Lager, six", 599),
    product("DRI-1506", "Red wine", 899),
    product("SNA-1601", "Chocolate 100 g", 149),
    product("SNA-1602", "Crisps 200 g", 189),
    product("SNA-1603", "Almonds 200 g", 359),
    product("SNA-1604", "Gingerbread", 279),
    product("HOM-1701", "Washing powder", 1249),
    product("HOM-1702", "Kitchen roll, four", 379),
    product("HOM-1703", "Dish soap", 159),
    product("HOM-1704", "Toothpaste", 219),
    product("HOM-1705", "Shampoo", 349),
    product("HOM-1706", "Batteries AA, eight", 799),
    product("HOM-1707", "LED lamp", 599),
    product("HOM-1708", "Frying pan", 3499),
];

const CITIES: [&str; 12] = [
    "Hamburg", "Zürich", "Lyon", "Malmö", "Gdańsk", "Porto", "Utrecht", "Brno", "Graz", "Bologna",
    "Tartu", "Cork",
];

const STREETS: [&str; 10] = [
    "Harbour", "Station", "Market", "Mill", "Castle", "Garden", "Church", "River", "North", "Park",
];

const FIRST_NAMES: [(&str, &str); 24] = [
    ("Ada", "ada"),
    ("Zoë", "zoe"),
    ("Björn", "bjorn"),
    ("Chloé", "chloe"),
    ("Emil", "emil"),
    ("Fatima", "fatima"),
    ("Grace", "grace"),
    ("Hugo", "hugo"),
    ("Inês", "ines"),
    ("Jürgen", "jurgen"),
    ("Kenji", "kenji"),
    ("Lena", "lena"),
    ("Mateus", "mateus"),
    ("Noor", "noor"),
    ("Ólafur", "olafur"),
    ("Petra", "petra"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Søren", "soren"),
    ("Tomáš", "tomas"),
    ("Ursula", "ursula"),
    ("Vera", "vera"),
    ("Wanda", "wanda"),
    ("Yusuf", "yusuf"),
];

const LAST_NAMES: [(&str, &str); 25] = [
    ("Almeida", "almeida"),
    ("Bauer", "bauer"),
    ("Carlsson", "carlsson"),
    ("D'Angelo", "dangelo"),
    ("Eriksen", "eriksen"),
    ("Fournier", "fournier"),
    ("García", "garcia"),
    ("Horváth", "horvath"),
    ("Ito", "ito"),
    ("Jansen", "jansen"),
    ("Kowalska", "kowalska"),
    ("López", "lopez"),
    ("Müller", "muller"),
    ("Novák", "novak"),
    ("O'Brien", "obrien"),
    ("Peeters", "peeters"),
    ("Quist", "quist"),
    ("Rossi", "rossi"),
    ("Schäfer", "schafer"),
    ("Tamm", "tamm"),
    ("Ustinov", "ustinov"),
    ("Virtanen", "virtanen"),
    ("Weiß", "weiss"),
    ("Yılmaz", "yilmaz"),
    ("Zieliński", "zielinski"),
];

/// The choice at this index, which wraps around.
fn nth<T: Copy>(choices: &[T], index: u32, otherwise: T) -> T {
    let index = index as usize % choices.len().max(1);
    choices.get(index).copied().unwrap_or(otherwise)
}

/// Store `number`, from 1, as members of a JSON object. No name needs an escape in JSON; a test verifies this.
pub(crate) fn write_store(number: u32, out: &mut String) {
    let index = number - 1;
    let city = nth(&CITIES, index, "");
    let street = nth(&STREETS, index, "");
    // Writing to a string does not fail.
    let _ = write!(
        out,
        r#""id":{number},"name":"{city} {street} Street","city":"{city}""#
    );
}

/// Customer `number`, from 1, as members of a JSON object. Equal numbers are the same person in every sale.
pub(crate) fn write_customer(number: u32, out: &mut String) {
    let index = number - 1;
    let (first, first_ascii) = nth(&FIRST_NAMES, index, ("", ""));
    let (last, last_ascii) = nth(&LAST_NAMES, index, ("", ""));
    let _ = write!(
        out,
        r#""id":{number},"name":"{first} {last}","email":"{first_ascii}.{last_ascii}.{number}@example.com""#
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_sku_is_there_once_and_costs_something() {
        let skus: HashSet<_> = CATALOGUE.iter().map(|product| product.sku).collect();
        assert_eq!(skus.len(), CATALOGUE.len());
        assert!(CATALOGUE.iter().all(|product| product.price_cents > 0));
    }

    #[test]
    fn no_word_needs_an_escape_in_json() {
        let first = FIRST_NAMES.iter().flat_map(|(name, ascii)| [name, ascii]);
        let last = LAST_NAMES.iter().flat_map(|(name, ascii)| [name, ascii]);
        let products = CATALOGUE.iter().flat_map(|item| [&item.sku, &item.name]);
        for word in first
            .chain(last)
            .chain(products)
            .chain(&CITIES)
            .chain(&STREETS)
        {
            let safe = word
                .chars()
                .all(|c| !c.is_control() && c != '"' && c != '\\');
            assert!(safe, "{word}");
        }
    }

    #[test]
    fn customers_differ_in_their_address() {
        let addresses: HashSet<_> = (1..=2_000)
            .map(|number| {
                let mut text = String::new();
                write_customer(number, &mut text);
                text
            })
            .collect();
        assert_eq!(addresses.len(), 2_000);
    }
}
