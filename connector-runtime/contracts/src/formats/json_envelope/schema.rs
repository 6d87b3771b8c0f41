//! The schema of an envelope, in the language of Kafka Connect's JsonConverter.

use connect_api::{Value, ValueRef};

/// The type of a value, and whether it may be absent.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) kind: SchemaKind,
    pub(super) optional: bool,
    /// In the form of a payload.
    pub(super) default: Option<Value>,
}

#[derive(Clone, Debug)]
pub(super) enum SchemaKind {
    Boolean,
    Integer(Width),
    Float,
    Double,
    Bytes,
    String,
    Array(Box<Schema>),
    /// Keys that are strings make an object, others an array of pairs.
    Map(Box<Schema>, Box<Schema>),
    Struct(Vec<EnvelopeField>),
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
pub(super) struct EnvelopeField {
    pub(super) name: String,
    pub(super) schema: Schema,
}

const LOGICAL: &str = "org.apache.kafka.connect.data.";

impl Schema {
    /// `Err` is a clause about the schema.
    pub(super) fn of(schema: ValueRef<'_>) -> Result<Schema, String> {
        let word = |name: &str| schema.get(name).and_then(ValueRef::as_str);
        let name = word("type").ok_or("a schema needs a `type`")?;
        let part = |member: &str| {
            let part = schema.get(member);
            let part = part.ok_or_else(|| format!("a schema of type {name} needs `{member}`"))?;
            Schema::of(part).map(Box::new)
        };
        let kind = match name {
            "boolean" => SchemaKind::Boolean,
            "int8" => SchemaKind::Integer(Width::Bits8),
            "int16" => SchemaKind::Integer(Width::Bits16),
            "int32" => SchemaKind::Integer(Width::Bits32),
            "int64" => SchemaKind::Integer(Width::Bits64),
            "float" => SchemaKind::Float,
            "double" => SchemaKind::Double,
            "bytes" => SchemaKind::Bytes,
            "string" => SchemaKind::String,
            "array" => SchemaKind::Array(part("items")?),
            "map" => SchemaKind::Map(part("keys")?, part("values")?),
            "struct" => SchemaKind::Struct(fields_of(schema)?),
            other => return Err(format!("the type `{other}` is none of Kafka Connect's")),
        };
        let logical = word("name").and_then(|name| name.strip_prefix(LOGICAL));
        let kind = match (logical, kind) {
            (Some("Decimal"), SchemaKind::Bytes) => SchemaKind::Decimal {
                scale: scale_of(schema)?,
            },
            (Some("Date"), SchemaKind::Integer(Width::Bits32)) => SchemaKind::Date,
            (Some("Time"), SchemaKind::Integer(Width::Bits32)) => SchemaKind::Time,
            (Some("Timestamp"), SchemaKind::Integer(Width::Bits64)) => SchemaKind::Timestamp,
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

    /// What messages say is expected.
    pub(super) fn expected(&self) -> String {
        match &self.kind {
            SchemaKind::Boolean => "a boolean".to_owned(),
            SchemaKind::Integer(width) => format!("an integer of {} bits", width.bits()),
            SchemaKind::Float => "a number (float)".to_owned(),
            SchemaKind::Double => "a number (double)".to_owned(),
            SchemaKind::Bytes => "base64 text (bytes)".to_owned(),
            SchemaKind::String => "a string".to_owned(),
            SchemaKind::Array(_) => "an array".to_owned(),
            SchemaKind::Map(keys, _) if keys.is_string() => "an object (map)".to_owned(),
            SchemaKind::Map(..) => "an array of pairs (map)".to_owned(),
            SchemaKind::Struct(_) => "an object (struct)".to_owned(),
            SchemaKind::Decimal { scale } => format!("a decimal of scale {scale}"),
            SchemaKind::Date => "a date".to_owned(),
            SchemaKind::Time => "a time of day in whole milliseconds".to_owned(),
            SchemaKind::Timestamp => "a time in whole milliseconds".to_owned(),
        }
    }

    pub(super) fn is_string(&self) -> bool {
        matches!(self.kind, SchemaKind::String)
    }
}

fn fields_of(schema: ValueRef<'_>) -> Result<Vec<EnvelopeField>, String> {
    let fields = schema.get("fields").and_then(ValueRef::elements);
    let mut found: Vec<EnvelopeField> = Vec::new();
    for field in fields.ok_or("a schema of type struct needs `fields`")? {
        let name = field.get("field").and_then(ValueRef::as_str);
        let name = name.ok_or("each of `fields` needs its name in `field`")?;
        if found.iter().any(|other| other.name == name) {
            return Err(format!("two fields are called `{name}`"));
        }
        found.push(EnvelopeField {
            name: name.to_owned(),
            schema: Schema::of(field).map_err(|reason| format!("field `{name}`: {reason}"))?,
        });
    }
    Ok(found)
}

/// Java writes the scale as text.
fn scale_of(schema: ValueRef<'_>) -> Result<i32, String> {
    /// Java's limit is 2³¹, far beyond any decimal in use.
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
