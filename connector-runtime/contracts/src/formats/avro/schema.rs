//! A compiled Avro schema: names and logical types are resolved, types refer to each other by id.

use crate::time::TimePrecision;
use connect_api::text::cut;

/// Index into [`AvroSchema`].
pub(super) type AvroTypeId = usize;

/// A type, as it is read and written.
#[derive(Debug)]
pub(super) enum AvroType {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Box<[String]>),
    Array(AvroTypeId),
    Map(AvroTypeId),
    Union(Box<[AvroTypeId]>),
    Record(Box<[RecordField]>),
    /// `fixed` is the number of bytes, if the bytes do not contain their length.
    Decimal {
        precision: usize,
        scale: u32,
        fixed: Option<usize>,
    },
    /// A decimal with a scale in each value.
    BigDecimal,
    UuidText,
    /// Sixteen bytes; `sized` if they follow their length.
    UuidBytes {
        sized: bool,
    },
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp(TimePrecision),
    LocalTimestamp(TimePrecision),
    Duration,
}

#[derive(Debug)]
pub(super) struct RecordField {
    pub(super) name: Box<str>,
    pub(super) type_id: AvroTypeId,
    /// The encoded default, written if a value lacks the field.
    pub(super) default: Option<Box<[u8]>>,
}

impl AvroType {
    /// What messages say is expected.
    pub(super) fn expected(&self) -> String {
        match self {
            AvroType::Null => "null".to_owned(),
            AvroType::Boolean => "a boolean".to_owned(),
            AvroType::Int => "an integer of 32 bits".to_owned(),
            AvroType::Long => "an integer of 64 bits".to_owned(),
            AvroType::Float => "a number that a float keeps".to_owned(),
            AvroType::Double => "a number that a double keeps".to_owned(),
            AvroType::Bytes => "bytes or base64 text (bytes)".to_owned(),
            AvroType::String => "a string".to_owned(),
            AvroType::Fixed(size) => format!("{size} bytes or base64 text of them (fixed)"),
            AvroType::Enum(symbols) => format!("one of {} (enum)", cut(&symbols.join(", "), 100)),
            AvroType::Array(_) => "an array".to_owned(),
            AvroType::Map(_) | AvroType::Record(_) => "an object".to_owned(),
            AvroType::Union(_) => "a value of one of the union's types".to_owned(),
            AvroType::Decimal {
                precision, scale, ..
            } => {
                format!("a decimal of at most {precision} digits, {scale} of them after the point")
            }
            AvroType::BigDecimal => "a decimal".to_owned(),
            AvroType::UuidText | AvroType::UuidBytes { .. } => "a UUID".to_owned(),
            AvroType::Date => "a date such as 2026-11-20".to_owned(),
            AvroType::TimeMillis => {
                "a time of day in whole milliseconds such as 20:15:00.000".to_owned()
            }
            AvroType::TimeMicros => {
                "a time of day in whole microseconds such as 20:15:00.000000".to_owned()
            }
            AvroType::Timestamp(unit) => format!(
                "a time in whole {} such as 2026-11-20T20:15:00Z",
                unit.name()
            ),
            AvroType::LocalTimestamp(unit) => format!(
                "a time in whole {} without an offset such as 2026-11-20T20:15:00",
                unit.name()
            ),
            AvroType::Duration => "an object of months, days and milliseconds".to_owned(),
        }
    }
}

/// All types of a schema.
pub(super) struct AvroSchema {
    types: Vec<AvroType>,
    root: AvroTypeId,
}

impl AvroSchema {
    /// Every id inside `types`, and `root`, is an index of it.
    pub(super) fn new(types: Vec<AvroType>, root: AvroTypeId) -> AvroSchema {
        AvroSchema { types, root }
    }

    pub(super) fn root(&self) -> AvroTypeId {
        self.root
    }

    pub(super) fn get(&self, id: AvroTypeId) -> &AvroType {
        self.types
            .get(id)
            .expect("the parser hands out only indexes of types that it built")
    }

    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    pub(super) fn set_default(&mut self, record: AvroTypeId, index: usize, default: Box<[u8]>) {
        if let Some(AvroType::Record(fields)) = self.types.get_mut(record)
            && let Some(field) = fields.get_mut(index)
        {
            field.default = Some(default);
        }
    }
}
