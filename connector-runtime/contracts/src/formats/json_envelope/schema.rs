//! The schema of an envelope, in the language of Kafka Connect's JsonConverter.

use connect_api::{Value, ValueRef};

/// What a value is, and whether it may be absent.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) kind: Kind,
    pub(super) optional: bool,
    /// In the form of a payload.
    pub(super) default: Option<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Boolean,
    Integer(Width),
    Float,
    Double,
    Bytes,
    String,
    Array(Box<Schema>),
    /// Keys that are strings make an object, others an array of pairs.
    Map(Box<Schema>, Box<Schema>),
    Struct(Vec<Field>),
    /// `org.apache.kafka.connect.data.Decimal`: the unscaled number's bytes in base64, or a number.
    Decimal {
        scale: i32,
    },
    /// `….Date`: days since 1970.
    Date,
    /// `….Time`: milliseconds since midnight.
    Time,
    /// `….Timestamp`: milliseconds since 1970.
    Timestamp,
}

/// A signed integer's bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    Bits8,
    Bits16,
    Bits32,
    Bits64,
}

impl Width {
    pub(super) fn bits(self) -> u32 {
        match self {
            Width::Bits8 => 8,
            Width::Bits16 => 16,
            Width::Bits32 => 32,
            Width::Bits64 => 64,
        }
    }

    pub(super) fn holds(self, number: i64) -> bool {
        let unused = 64 - self.bits();
        (number << unused) >> unused == number
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: Schema,
}

const LOGICAL: &str = "org.apache.kafka.connect.data.";

impl Schema {
    /// `Err` is half a sentence about the schema.
    pub(super) fn of(schema: ValueRef<'_>) -> Result<Schema, String> {
        let word = |name: &str| schema.get(name).and_then(ValueRef::as_str);
        let name = word("type").ok_or("a schema needs a `type`")?;
        let part = |member: &str| {
            let part = schema.get(member);
            let part = part.ok_or_else(|| format!("a schema of type {name} needs `{member}`"))?;
            Schema::of(part).map(Box::new)
        };
        let kind = match name {
            "boolean" => Kind::Boolean,
            "int8" => Kind::Integer(Width::Bits8),
            "int16" => Kind::Integer(Width::Bits16),
            "int32" => Kind::Integer(Width::Bits32),
            "int64" => Kind::Integer(Width::Bits64),
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::String,
            "array" => Kind::Array(part("items")?),
            "map" => Kind::Map(part("keys")?, part("values")?),
            "struct" => Kind::Struct(fields_of(schema)?),
            other => return Err(format!("the type `{other}` is none of Kafka Connect's")),
        };
        let logical = word("name").and_then(|name| name.strip_prefix(LOGICAL));
        let kind = match (logical, kind) {
            (Some("Decimal"), Kind::Bytes) => Kind::Decimal {
                scale: scale_of(schema)?,
            },
            (Some("Date"), Kind::Integer(Width::Bits32)) => Kind::Date,
            (Some("Time"), Kind::Integer(Width::Bits32)) => Kind::Time,
            (Some("Timestamp"), Kind::Integer(Width::Bits64)) => Kind::Timestamp,
            (_, kind) => kind,
        };
        Ok(Schema {
            kind,
            optional: schema
                .get("optional")
                .and_then(ValueRef::as_bool)
                .unwrap_or(false),
            default: schema
                .get("default")
                .filter(|default| !default.is_null())
                .map(ValueRef::to_value),
        })
    }

    /// What a value must be, as messages say it.
    pub(super) fn expected(&self) -> String {
        match &self.kind {
            Kind::Boolean => "a boolean".to_owned(),
            Kind::Integer(width) => format!("an integer of {} bits", width.bits()),
            Kind::Float => "a number (float)".to_owned(),
            Kind::Double => "a number (double)".to_owned(),
            Kind::Bytes => "base64 text (bytes)".to_owned(),
            Kind::String => "a string".to_owned(),
            Kind::Array(_) => "an array".to_owned(),
            Kind::Map(keys, _) if keys.is_string() => "an object (map)".to_owned(),
            Kind::Map(..) => "an array of pairs (map)".to_owned(),
            Kind::Struct(_) => "an object (struct)".to_owned(),
            Kind::Decimal { scale } => format!("a decimal of scale {scale}"),
            Kind::Date => "a date".to_owned(),
            Kind::Time => "a time of day in whole milliseconds".to_owned(),
            Kind::Timestamp => "a time in whole milliseconds".to_owned(),
        }
    }

    pub(super) fn is_string(&self) -> bool {
        matches!(self.kind, Kind::String)
    }
}

fn fields_of(schema: ValueRef<'_>) -> Result<Vec<Field>, String> {
    let fields = schema.get("fields").and_then(ValueRef::elements);
    let mut found: Vec<Field> = Vec::new();
    for field in fields.ok_or("a schema of type struct needs `fields`")? {
        let name = field.get("field").and_then(ValueRef::as_str);
        let name = name.ok_or("each of `fields` needs its name in `field`")?;
        if found.iter().any(|other| other.name == name) {
            return Err(format!("two fields are called `{name}`"));
        }
        found.push(Field {
            name: name.to_owned(),
            schema: Schema::of(field).map_err(|reason| format!("field `{name}`: {reason}"))?,
        });
    }
    Ok(found)
}

/// Java writes the scale as text.
fn scale_of(schema: ValueRef<'_>) -> Result<i32, String> {
    /// Java's own limit is 2³¹; no decimal of this size is a number that anybody stores.
    const MOST: i32 = 1_000;
    let scale = schema.get("parameters").and_then(|all| all.get("scale"));
    let scale = scale
        .and_then(ValueRef::as_str)
        .and_then(|scale| scale.parse().ok())
        .filter(|scale: &i32| (-MOST..=MOST).contains(scale));
    scale.ok_or_else(|| {
        format!("a Decimal needs `parameters.scale`, a text of digits from -{MOST} to {MOST}")
    })
}
