//! An Avro schema as the walks need it: names resolved, logical types decided, one flat list.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, NamespaceRef, RecordField, UuidSchema};
use connect_api::Value;

use super::logical::TimeUnit;
use crate::rejection::shown;

/// Index into [`Plans`].
pub(super) type PlanId = usize;

/// How one type is read and written.
#[derive(Debug)]
pub(super) enum Plan {
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
    Array(PlanId),
    Map(PlanId),
    Union(Box<[PlanId]>),
    Record(Box<[Field]>),
    /// `fixed` is the number of bytes where it is not written before them.
    Decimal {
        precision: usize,
        scale: u32,
        fixed: Option<usize>,
    },
    /// A decimal that carries its own scale.
    BigDecimal,
    UuidText,
    /// Sixteen bytes; `sized` if their number is written before them.
    UuidBytes {
        sized: bool,
    },
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp(TimeUnit),
    LocalTimestamp(TimeUnit),
    Duration,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) plan: PlanId,
    /// What is written where a value lacks the field.
    pub(super) default: Option<Value>,
}

impl Plan {
    /// What a value must be, as messages say it.
    pub(super) fn expected(&self) -> String {
        match self {
            Plan::Null => "null".to_owned(),
            Plan::Boolean => "a boolean".to_owned(),
            Plan::Int => "an integer of 32 bits".to_owned(),
            Plan::Long => "an integer of 64 bits".to_owned(),
            Plan::Float => "a number (float)".to_owned(),
            Plan::Double => "a number (double)".to_owned(),
            Plan::Bytes => "base64 text (bytes)".to_owned(),
            Plan::String => "a string".to_owned(),
            Plan::Fixed(size) => format!("base64 text of {size} bytes (fixed)"),
            Plan::Enum(symbols) => format!("one of {} (enum)", shown(&symbols.join(", "), 100)),
            Plan::Array(_) => "an array".to_owned(),
            Plan::Map(_) | Plan::Record(_) => "an object".to_owned(),
            Plan::Union(_) => "a value of one of the union's types".to_owned(),
            Plan::Decimal {
                precision, scale, ..
            } => {
                format!("a decimal of at most {precision} digits, {scale} of them behind the point")
            }
            Plan::BigDecimal => "a decimal".to_owned(),
            Plan::UuidText | Plan::UuidBytes { .. } => "a UUID".to_owned(),
            Plan::Date => "a date such as 2026-11-20".to_owned(),
            Plan::TimeMillis => {
                "a time of day in whole milliseconds such as 20:15:00.000".to_owned()
            }
            Plan::TimeMicros => {
                "a time of day in whole microseconds such as 20:15:00.000000".to_owned()
            }
            Plan::Timestamp(unit) => format!(
                "a time in whole {} such as 2026-11-20T20:15:00Z",
                unit.name()
            ),
            Plan::LocalTimestamp(unit) => format!(
                "a time in whole {} without an offset such as 2026-11-20T20:15:00",
                unit.name()
            ),
            Plan::Duration => "an object of months, days and milliseconds".to_owned(),
        }
    }
}

/// All types of a schema.
pub(super) struct Plans {
    plans: Vec<Plan>,
    root: PlanId,
}

impl Plans {
    pub(super) fn of(root: &Schema, others: &[Schema]) -> Result<Plans, String> {
        let mut definitions = HashMap::new();
        for schema in others.iter().chain([root]) {
            collect(schema, None, &mut definitions);
        }
        let mut builder = Builder {
            plans: Vec::new(),
            named: HashMap::new(),
            definitions,
        };
        let root = builder.plan(root, None)?;
        Ok(Plans {
            plans: builder.plans,
            root,
        })
    }

    pub(super) fn root(&self) -> PlanId {
        self.root
    }

    pub(super) fn get(&self, id: PlanId) -> &Plan {
        self.plans.get(id).unwrap_or(&Plan::Null)
    }
}

/// Definitions by full name, each with the namespace that its inner names are relative to.
type Definitions<'s> = HashMap<String, &'s Schema>;

fn collect<'s>(schema: &'s Schema, namespace: NamespaceRef, definitions: &mut Definitions<'s>) {
    match schema {
        Schema::Array(array) => collect(&array.items, namespace, definitions),
        Schema::Map(map) => collect(&map.types, namespace, definitions),
        Schema::Union(union) => {
            for branch in union.variants() {
                collect(branch, namespace, definitions);
            }
        }
        Schema::Record(record) => {
            let name = record.name.fully_qualified_name(namespace).into_owned();
            definitions.insert(name.fullname(None), schema);
            for field in &record.fields {
                collect(&field.schema, name.namespace(), definitions);
            }
        }
        Schema::Ref { .. } => {}
        _ => {
            if let Some(name) = schema.name() {
                definitions.insert(name.fullname(namespace), schema);
            }
        }
    }
}

struct Builder<'s> {
    plans: Vec<Plan>,
    named: HashMap<String, PlanId>,
    definitions: Definitions<'s>,
}

impl Builder<'_> {
    fn plan(&mut self, schema: &Schema, namespace: NamespaceRef) -> Result<PlanId, String> {
        let name = schema.name().map(|name| name.fullname(namespace));
        if let Some(known) = name.as_ref().and_then(|name| self.named.get(name)) {
            return Ok(*known);
        }
        // The place is taken before the inside is built: a type may contain itself.
        let id = self.plans.len();
        self.plans.push(Plan::Null);
        let plan = match schema {
            Schema::Ref { name } => {
                self.plans.pop();
                return self.referenced(&name.fullname(namespace));
            }
            Schema::Record(record) => {
                let full = record.name.fully_qualified_name(namespace).into_owned();
                self.named.insert(full.fullname(None), id);
                let fields = record.fields.iter();
                let fields: Result<Vec<Field>, String> = fields
                    .map(|field| self.field(field, full.namespace()))
                    .collect();
                Plan::Record(fields?.into())
            }
            Schema::Array(array) => Plan::Array(self.plan(&array.items, namespace)?),
            Schema::Map(map) => Plan::Map(self.plan(&map.types, namespace)?),
            Schema::Union(union) => {
                let branches = union.variants().iter();
                let branches: Result<Vec<PlanId>, String> = branches
                    .map(|branch| self.plan(branch, namespace))
                    .collect();
                Plan::Union(branches?.into())
            }
            other => {
                if let Some(name) = name {
                    self.named.insert(name, id);
                }
                leaf(other)?
            }
        };
        if let Some(reserved) = self.plans.get_mut(id) {
            *reserved = plan;
        }
        Ok(id)
    }

    fn referenced(&mut self, name: &str) -> Result<PlanId, String> {
        if let Some(known) = self.named.get(name) {
            return Ok(*known);
        }
        let definition = self.definitions.get(name).copied();
        let definition = definition.ok_or_else(|| format!("the type {name} is not defined"))?;
        let namespace = name.rsplit_once('.').map(|(namespace, _)| namespace);
        self.plan(definition, namespace)
    }

    fn field(&mut self, field: &RecordField, namespace: NamespaceRef) -> Result<Field, String> {
        let plan = self.plan(&field.schema, namespace)?;
        // In a schema the default of bytes is text of code points, not the base64 that values have here.
        let is_bytes = matches!(
            self.plans.get(plan),
            Some(
                Plan::Bytes
                    | Plan::Fixed(_)
                    | Plan::Decimal { .. }
                    | Plan::BigDecimal
                    | Plan::Duration
            )
        );
        let default = field.default.as_ref().filter(|_| !is_bytes);
        Ok(Field {
            name: field.name.as_str().into(),
            plan,
            default: default.map(Value::from),
        })
    }
}

fn leaf(schema: &Schema) -> Result<Plan, String> {
    Ok(match schema {
        Schema::Null => Plan::Null,
        Schema::Boolean => Plan::Boolean,
        Schema::Int => Plan::Int,
        Schema::Long => Plan::Long,
        Schema::Float => Plan::Float,
        Schema::Double => Plan::Double,
        Schema::Bytes => Plan::Bytes,
        Schema::String => Plan::String,
        Schema::Fixed(fixed) => Plan::Fixed(fixed.size),
        Schema::Enum(symbols) => Plan::Enum(symbols.symbols.clone().into()),
        Schema::Decimal(decimal) => Plan::Decimal {
            precision: decimal.precision,
            scale: u32::try_from(decimal.scale).map_err(|_| "the scale is too large".to_owned())?,
            fixed: match &decimal.inner {
                InnerDecimalSchema::Bytes => None,
                InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
            },
        },
        Schema::BigDecimal => Plan::BigDecimal,
        Schema::Uuid(UuidSchema::String) => Plan::UuidText,
        Schema::Uuid(UuidSchema::Bytes) => Plan::UuidBytes { sized: true },
        Schema::Uuid(UuidSchema::Fixed(_)) => Plan::UuidBytes { sized: false },
        Schema::Date => Plan::Date,
        Schema::TimeMillis => Plan::TimeMillis,
        Schema::TimeMicros => Plan::TimeMicros,
        Schema::TimestampMillis => Plan::Timestamp(TimeUnit::Milliseconds),
        Schema::TimestampMicros => Plan::Timestamp(TimeUnit::Microseconds),
        Schema::TimestampNanos => Plan::Timestamp(TimeUnit::Nanoseconds),
        Schema::LocalTimestampMillis => Plan::LocalTimestamp(TimeUnit::Milliseconds),
        Schema::LocalTimestampMicros => Plan::LocalTimestamp(TimeUnit::Microseconds),
        Schema::LocalTimestampNanos => Plan::LocalTimestamp(TimeUnit::Nanoseconds),
        Schema::Duration(_) => Plan::Duration,
        other => return Err(format!("the type {other} is not read here")),
    })
}
