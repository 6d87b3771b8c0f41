//! The table of a `lookup`, read from CSV or JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use bytes::Bytes;
use connect_api::{Finding, JsonLimits, Kind, Value, ValueRef};

/// The largest table that is read into memory, in bytes.
const LARGEST: u64 = 64 << 20;

/// The columns that a `lookup` needs, by key.
pub(super) struct LookupTable {
    rows: HashMap<String, Vec<Value>>,
}

/// The text by which a value is compared with keys of the table.
pub(super) fn key_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        Kind::String(text) => Some(Cow::Borrowed(text)),
        Kind::Number(number) => Some(Cow::Owned(number.as_str().to_owned())),
        _ => None,
    }
}

fn of_file(message: String) -> Finding {
    Finding::error("transform.table", "/file", message)
}

impl LookupTable {
    /// Reads the columns, each named together with the pointer of its key in the configuration.
    pub(super) fn read(
        file: &Path,
        key: &str,
        columns: &[(&str, String)],
    ) -> Result<LookupTable, Finding> {
        let content =
            read_file(file).map_err(|reason| of_file(format!("{} {reason}", file.display())))?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => LookupTable::of_csv(&content, key, columns),
            Some("json") => LookupTable::of_json(content, key, columns),
            _ => Err(of_file(format!(
                "{}: a table is a file that ends with .csv or .json",
                file.display()
            ))),
        }
    }

    pub(super) fn row(&self, key: &str) -> Option<&[Value]> {
        self.rows.get(key).map(Vec::as_slice)
    }

    fn of_csv(
        content: &[u8],
        key: &str,
        columns: &[(&str, String)],
    ) -> Result<LookupTable, Finding> {
        let broken = |error: csv::Error| of_file(format!("the table is not CSV: {error}"));
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        // The reader takes the end of the file for a missing quote: all rows behind it would be one cell.
        if content.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            let message = "the table is not CSV: a quote that opens is never closed";
            return Err(of_file(message.to_owned()));
        }
        let mut reader = csv::Reader::from_reader(content);
        let header = reader.headers().map_err(broken)?.clone();
        check_header(&header)?;
        let index = |column: &str, pointer: &str| {
            let position = header.iter().position(|name| name == column);
            position.ok_or_else(|| no_column(&header, column, pointer))
        };
        let key = index(key, "/key")?;
        let columns = columns
            .iter()
            .map(|(column, pointer)| index(column, pointer))
            .collect::<Result<Vec<usize>, Finding>>()?;
        let mut rows = Rows::new("lines");
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |index: usize| {
                record
                    .get(index)
                    .expect("the reader demands the header's number of cells")
            };
            let row = columns.iter().map(|index| Value::string(cell(*index)));
            rows.insert(cell(key).to_owned(), line, row.collect())?;
        }
        Ok(rows.into_table())
    }

    fn of_json(
        content: Vec<u8>,
        key: &str,
        columns: &[(&str, String)],
    ) -> Result<LookupTable, Finding> {
        let limits = JsonLimits::of_payload(content.len());
        let document = Value::parse_json(Bytes::from(content), limits)
            .map_err(|error| of_file(format!("the table is not JSON: {error}")))?;
        let Some(elements) = document.root().elements() else {
            return Err(of_file("a JSON table is an array of objects".to_owned()));
        };
        let mut rows = Rows::new("elements");
        let mut is_present = vec![false; columns.len()];
        for (index, element) in (0..).zip(elements) {
            if element.members().is_none() {
                return Err(of_file(format!("element {index} is no object")));
            }
            let Some(key) = element.get(key).and_then(key_of) else {
                let message = format!("element {index} has no text or number in `{key}`");
                return Err(of_file(message));
            };
            let mut row = Vec::with_capacity(columns.len());
            for ((column, _), is_present) in columns.iter().zip(&mut is_present) {
                let cell = element.get(column);
                *is_present |= cell.is_some();
                row.push(cell.map_or_else(Value::null, ValueRef::to_value));
            }
            rows.insert(key.into_owned(), index, row)?;
        }
        let mut absent = columns
            .iter()
            .zip(is_present)
            .filter(|(_, is_present)| !is_present);
        if let Some(((column, pointer), _)) = absent.next() {
            let message = format!("no element has a member `{column}`");
            return Err(Finding::error("transform.table", pointer, message));
        }
        Ok(rows.into_table())
    }
}

/// Rows while they are read, each with the number of its line or element.
struct Rows {
    rows: HashMap<String, (u64, Vec<Value>)>,
    unit: &'static str,
}

impl Rows {
    fn new(unit: &'static str) -> Rows {
        Rows {
            rows: HashMap::new(),
            unit,
        }
    }

    fn insert(&mut self, key: String, number: u64, row: Vec<Value>) -> Result<(), Finding> {
        match self.rows.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((number, row));
                Ok(())
            }
            Entry::Occupied(entry) => Err(of_file(format!(
                "{} {} and {number} have the same key",
                self.unit,
                entry.get().0
            ))),
        }
    }

    fn into_table(self) -> LookupTable {
        let rows = self.rows.into_iter();
        LookupTable {
            rows: rows.map(|(key, (_, row))| (key, row)).collect(),
        }
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(format!("has {size} bytes; a table has at most {LARGEST}"));
    }
    std::fs::read(file).map_err(unreadable)
}

fn check_header(header: &csv::StringRecord) -> Result<(), Finding> {
    for (index, name) in header.iter().enumerate() {
        if header.iter().take(index).any(|earlier| earlier == name) {
            return Err(of_file(format!("two columns are called `{name}`")));
        }
    }
    Ok(())
}

fn no_column(header: &csv::StringRecord, column: &str, pointer: &str) -> Finding {
    let names: Vec<String> = header.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "the table has no column `{column}`; its columns are {}",
        names.join(", ")
    );
    Finding::error("transform.table", pointer, message)
}
