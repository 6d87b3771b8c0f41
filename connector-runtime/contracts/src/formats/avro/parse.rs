//! Parses the JSON of an Avro schema to an [`AvroSchema`].
//!
//! Our own parser is lenient, because messages have been written with the schema: it does not check what the bytes do not depend
//! on (names with a hyphen or `$`, defaults that do not fit, a type twice in a union, unknown logical types). `apache-avro`
//! refuses such schemas, and one of them would stop a connector whose messages can all be read.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value as Json};

use super::default;
use super::schema::{AvroSchema, AvroType, AvroTypeId, RecordField};
use crate::time::TimePrecision;
use connect_api::text::cut;

/// `referenced` are the schemas whose names `text` uses, in any order.
pub(super) fn parse(text: &str, referenced: &[String]) -> Result<AvroSchema, String> {
    let root = json(text)?;
    let others: Result<Vec<Json>, String> = referenced.iter().map(|text| json(text)).collect();
    let others = others?;
    let mut definitions = Definitions::default();
    for schema in others.iter().chain([&root]) {
        definitions.collect(schema, "");
    }
    let mut builder = Builder::new(definitions);
    let root = builder.type_of(&root, "")?;
    builder.finish(root)
}

fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
}

/// The full name of a named type, and the namespace that the names inside it are relative to.
struct FullName {
    name: String,
    namespace: String,
}

impl FullName {
    /// `None` without a name. An empty namespace is the null namespace, even inside another one.
    fn of(schema: &Map<String, Json>, enclosing: &str) -> Option<FullName> {
        let name = schema.get("name")?.as_str()?;
        let own = schema.get("namespace").and_then(Json::as_str);
        Some(FullName::new(name, own.unwrap_or(enclosing)))
    }

    /// A name with a dot is full already.
    fn new(name: &str, namespace: &str) -> FullName {
        let (namespace, name) = name.rsplit_once('.').unwrap_or((namespace, name));
        FullName {
            name: qualified(name, namespace),
            namespace: namespace.to_owned(),
        }
    }
}

fn qualified(name: &str, namespace: &str) -> String {
    if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// The definition of a named type.
struct Definition<'s> {
    schema: &'s Map<String, Json>,
    enclosing: String,
    /// Another definition of the name differs. Each applies where it is defined; references by name are errors.
    ambiguous: bool,
}

/// All named types by their full names.
#[derive(Default)]
struct Definitions<'s>(HashMap<String, Definition<'s>>);

impl<'s> Definitions<'s> {
    fn collect(&mut self, schema: &'s Json, enclosing: &str) {
        match schema {
            Json::Array(branches) => {
                for branch in branches {
                    self.collect(branch, enclosing);
                }
            }
            Json::Object(object) => self.collect_object(object, enclosing),
            _ => {}
        }
    }

    fn collect_object(&mut self, schema: &'s Map<String, Json>, enclosing: &str) {
        let inner = match schema.get("type") {
            Some(Json::String(name)) => match name.as_str() {
                "array" => schema.get("items"),
                "map" => schema.get("values"),
                "record" | "error" | "enum" | "fixed" => {
                    self.define(schema, enclosing);
                    None
                }
                _ => None,
            },
            inner => inner,
        };
        if let Some(inner) = inner {
            self.collect(inner, enclosing);
        }
    }

    fn define(&mut self, schema: &'s Map<String, Json>, enclosing: &str) {
        let Some(full) = FullName::of(schema, enclosing) else {
            return;
        };
        let definition = self.0.entry(full.name).or_insert_with(|| Definition {
            schema,
            enclosing: enclosing.to_owned(),
            ambiguous: false,
        });
        definition.ambiguous |= definition.schema != schema;
        let fields = schema.get("fields").and_then(Json::as_array);
        for field in fields.into_iter().flatten() {
            if let Some(inner) = field.get("type") {
                self.collect(inner, &full.namespace);
            }
        }
    }
}

/// A named type whose id is reserved.
struct Reserved {
    id: AvroTypeId,
    begun: bool,
}

struct Builder<'s> {
    definitions: Definitions<'s>,
    types: Vec<Option<AvroType>>,
    reserved: HashMap<String, Reserved>,
    /// Types that were referred to before they were built. A queue, because recursion could become too deep.
    open: VecDeque<String>,
    /// Defaults as the schema writes them, by record and field index.
    defaults: HashMap<(AvroTypeId, usize), Json>,
}

impl<'s> Builder<'s> {
    fn new(definitions: Definitions<'s>) -> Builder<'s> {
        Builder {
            definitions,
            types: Vec::new(),
            reserved: HashMap::new(),
            open: VecDeque::new(),
            defaults: HashMap::new(),
        }
    }

    fn finish(mut self, root: AvroTypeId) -> Result<AvroSchema, String> {
        while let Some(name) = self.open.pop_front() {
            if let Some(definition) = self.definitions.0.get(&name) {
                let (schema, enclosing) = (definition.schema, definition.enclosing.clone());
                self.named(schema, &enclosing)?;
            }
        }
        let types = self.types.into_iter();
        let types = types.map(|built| built.expect("every reserved type has been built"));
        let mut schema = AvroSchema::new(types.collect(), root);
        default::encode_all(&mut schema, &self.defaults);
        Ok(schema)
    }

    fn reserve(&mut self) -> AvroTypeId {
        self.types.push(None);
        self.types.len() - 1
    }

    fn add(&mut self, avro_type: AvroType) -> AvroTypeId {
        self.types.push(Some(avro_type));
        self.types.len() - 1
    }

    fn type_of(&mut self, schema: &Json, enclosing: &str) -> Result<AvroTypeId, String> {
        match schema {
            Json::String(name) => self.referenced(name, enclosing),
            Json::Array(branches) => {
                let branches = branches.iter();
                let branches: Result<Vec<AvroTypeId>, String> = branches
                    .map(|branch| self.type_of(branch, enclosing))
                    .collect();
                let avro_type = AvroType::Union(branches?.into());
                Ok(self.add(avro_type))
            }
            Json::Object(object) => self.object(object, enclosing),
            other => Err(format!("{} is not a type", cut(&other.to_string(), 60))),
        }
    }

    /// A name: of a primitive type, or of one that is defined somewhere.
    fn referenced(&mut self, name: &str, enclosing: &str) -> Result<AvroTypeId, String> {
        if let Some(avro_type) = primitive(name) {
            return Ok(self.add(avro_type));
        }
        let in_namespace = FullName::new(name, enclosing).name;
        // As in Java's parser, the null namespace is searched after the enclosing one.
        let name = [in_namespace.as_str(), name]
            .into_iter()
            .find(|name| self.definitions.0.contains_key(*name))
            .ok_or_else(|| format!("the type {} is not defined", cut(&in_namespace, 200)))?
            .to_owned();
        if self.is_ambiguous(&name) {
            return Err(format!(
                "the type {} is defined twice, differently, and referred to by its name",
                cut(&name, 200)
            ));
        }
        if let Some(reserved) = self.reserved.get(&name) {
            return Ok(reserved.id);
        }
        let id = self.reserve();
        let reserved = Reserved { id, begun: false };
        self.reserved.insert(name.clone(), reserved);
        self.open.push_back(name);
        Ok(id)
    }

    fn is_ambiguous(&self, name: &str) -> bool {
        let definition = self.definitions.0.get(name);
        definition.is_some_and(|definition| definition.ambiguous)
    }

    fn object(
        &mut self,
        schema: &Map<String, Json>,
        enclosing: &str,
    ) -> Result<AvroTypeId, String> {
        let name = match schema.get("type") {
            Some(Json::String(name)) => name.as_str(),
            Some(inner) => return self.type_of(inner, enclosing),
            None => return Err("a type without `type`".to_owned()),
        };
        match name {
            "array" => {
                let items = schema.get("items").ok_or("an array without `items`")?;
                let avro_type = AvroType::Array(self.type_of(items, enclosing)?);
                Ok(self.add(avro_type))
            }
            "map" => {
                let values = schema.get("values").ok_or("a map without `values`")?;
                let avro_type = AvroType::Map(self.type_of(values, enclosing)?);
                Ok(self.add(avro_type))
            }
            "record" | "error" | "enum" | "fixed" => self.named(schema, enclosing),
            _ => match primitive(name) {
                Some(avro_type) => {
                    let avro_type = logical(schema, &avro_type).unwrap_or(avro_type);
                    Ok(self.add(avro_type))
                }
                None => self.referenced(name, enclosing),
            },
        }
    }

    fn named(&mut self, schema: &Map<String, Json>, enclosing: &str) -> Result<AvroTypeId, String> {
        let full = FullName::of(schema, enclosing).ok_or("a named type without `name`")?;
        let id = match self.reserved.get_mut(&full.name) {
            Some(reserved) if reserved.begun => return Ok(reserved.id),
            Some(reserved) => {
                reserved.begun = true;
                reserved.id
            }
            None => {
                let id = self.reserve();
                if !self.is_ambiguous(&full.name) {
                    let reserved = Reserved { id, begun: true };
                    self.reserved.insert(full.name.clone(), reserved);
                }
                id
            }
        };
        let avro_type = match schema.get("type").and_then(Json::as_str) {
            Some("enum") => enumeration(schema, &full.name)?,
            Some("fixed") => fixed(schema, &full.name)?,
            _ => self.record(schema, &full, id)?,
        };
        let reserved = self.types.get_mut(id);
        *reserved.expect("a reserved id is an index of the types") = Some(avro_type);
        Ok(id)
    }

    fn record(
        &mut self,
        schema: &Map<String, Json>,
        full: &FullName,
        id: AvroTypeId,
    ) -> Result<AvroType, String> {
        let name = cut(&full.name, 200);
        let written = schema.get("fields").and_then(Json::as_array);
        let written = written.ok_or_else(|| format!("the record {name} has no `fields`"))?;
        let mut fields: Vec<RecordField> = Vec::with_capacity(written.len());
        for (index, field) in written.iter().enumerate() {
            let (Some(field_name), Some(inner)) =
                (field.get("name").and_then(Json::as_str), field.get("type"))
            else {
                return Err(format!(
                    "field {index} of the record {name} has no `name` or no `type`"
                ));
            };
            if fields.iter().any(|field| &*field.name == field_name) {
                return Err(format!(
                    "two fields of the record {name} are called {}",
                    cut(field_name, 200)
                ));
            }
            let type_id = self.type_of(inner, &full.namespace)?;
            if let Some(default) = field.get("default") {
                self.defaults.insert((id, index), default.clone());
            }
            fields.push(RecordField {
                name: field_name.into(),
                type_id,
                default: None,
            });
        }
        Ok(AvroType::Record(fields.into()))
    }
}

fn primitive(name: &str) -> Option<AvroType> {
    Some(match name {
        "null" => AvroType::Null,
        "boolean" => AvroType::Boolean,
        "int" => AvroType::Int,
        "long" => AvroType::Long,
        "float" => AvroType::Float,
        "double" => AvroType::Double,
        "bytes" => AvroType::Bytes,
        "string" => AvroType::String,
        _ => return None,
    })
}

fn enumeration(schema: &Map<String, Json>, name: &str) -> Result<AvroType, String> {
    let symbols = schema.get("symbols").and_then(Json::as_array);
    let symbols = symbols.and_then(|symbols| {
        let symbols = symbols.iter();
        symbols
            .map(|symbol| symbol.as_str().map(str::to_owned))
            .collect()
    });
    let symbols: Vec<String> =
        symbols.ok_or_else(|| format!("the enum {} has no list of `symbols`", cut(name, 200)))?;
    Ok(AvroType::Enum(symbols.into()))
}

fn fixed(schema: &Map<String, Json>, name: &str) -> Result<AvroType, String> {
    let size = schema.get("size").and_then(Json::as_u64);
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| format!("the fixed {} has no `size`", cut(name, 200)))?;
    let avro_type = AvroType::Fixed(size);
    Ok(logical(schema, &avro_type).unwrap_or(avro_type))
}

/// Applies a logical type to its underlying type. `None` if it is unknown or invalid for that type: it is ignored then, as
/// Avro's specification demands.
fn logical(schema: &Map<String, Json>, below: &AvroType) -> Option<AvroType> {
    use TimePrecision::{Microseconds, Milliseconds, Nanoseconds};
    let name = schema.get("logicalType")?.as_str()?;
    Some(match (name, below) {
        ("decimal", AvroType::Bytes) => decimal(schema, None)?,
        ("decimal", AvroType::Fixed(size)) => decimal(schema, Some(*size))?,
        ("big-decimal", AvroType::Bytes) => AvroType::BigDecimal,
        ("uuid", AvroType::String) => AvroType::UuidText,
        ("uuid", AvroType::Bytes) => AvroType::UuidBytes { sized: true },
        ("uuid", AvroType::Fixed(16)) => AvroType::UuidBytes { sized: false },
        ("duration", AvroType::Fixed(12)) => AvroType::Duration,
        ("date", AvroType::Int) => AvroType::Date,
        ("time-millis", AvroType::Int) => AvroType::TimeMillis,
        ("time-micros", AvroType::Long) => AvroType::TimeMicros,
        ("timestamp-millis", AvroType::Long) => AvroType::Timestamp(Milliseconds),
        ("timestamp-micros", AvroType::Long) => AvroType::Timestamp(Microseconds),
        ("timestamp-nanos", AvroType::Long) => AvroType::Timestamp(Nanoseconds),
        ("local-timestamp-millis", AvroType::Long) => AvroType::LocalTimestamp(Milliseconds),
        ("local-timestamp-micros", AvroType::Long) => AvroType::LocalTimestamp(Microseconds),
        ("local-timestamp-nanos", AvroType::Long) => AvroType::LocalTimestamp(Nanoseconds),
        _ => return None,
    })
}

/// `None` for a precision or scale that a decimal cannot have, or a precision that `size` bytes cannot hold.
fn decimal(schema: &Map<String, Json>, size: Option<usize>) -> Option<AvroType> {
    let precision = usize::try_from(schema.get("precision")?.as_u64()?).ok()?;
    let scale = match schema.get("scale") {
        Some(scale) => u32::try_from(scale.as_u64()?).ok()?,
        None => 0,
    };
    let holds = |size: usize| {
        // floor(log10(2^(8 size - 1) - 1)): a power of two is never a power of ten, so the 1 does not matter.
        let bits = (8 * size).saturating_sub(1);
        precision <= (bits as f64 * std::f64::consts::LOG10_2) as usize
    };
    let valid = precision > 0 && scale as usize <= precision && size.is_none_or(holds);
    valid.then_some(AvroType::Decimal {
        precision,
        scale,
        fixed: size,
    })
}
