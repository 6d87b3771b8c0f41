//! An Avro schema's JSON to [`Plans`].
//!
//! Our own parser, because a schema is needed here for bytes that somebody has written with it. What bytes do not depend on
//! is not checked: names with a hyphen or `$`, defaults that do not fit, a type twice in a union, unknown logical types.
//! `apache-avro` refuses such schemas, and one of them would stop a connector whose messages can all be read.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value as Json};

use super::default;
use super::plan::{Field, Plan, PlanId, Plans};
use crate::time::TimeUnit;
use connect_api::text::cut;

/// `referenced` are the schemas whose names `text` uses, in any order.
pub(super) fn parse(text: &str, referenced: &[String]) -> Result<Plans, String> {
    let root = json(text)?;
    let others: Result<Vec<Json>, String> = referenced.iter().map(|text| json(text)).collect();
    let others = others?;
    let mut definitions = Definitions::default();
    for schema in others.iter().chain([&root]) {
        definitions.collect(schema, "");
    }
    let mut builder = Builder::new(definitions);
    let root = builder.plan(&root, "")?;
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
    /// `None` without a name. An empty namespace is the null namespace, also inside another one.
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

/// Where a name is defined.
struct Definition<'s> {
    schema: &'s Map<String, Json>,
    enclosing: String,
    /// Another definition of the name differs: each is read where it is defined, and references by name are ambiguous.
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

/// A type that a plan's id is reserved for.
struct Reserved {
    id: PlanId,
    begun: bool,
}

struct Builder<'s> {
    definitions: Definitions<'s>,
    plans: Vec<Option<Plan>>,
    reserved: HashMap<String, Reserved>,
    /// Names that were referred to before they were built: in a queue, because references could nest too deep to follow.
    open: VecDeque<String>,
    /// Defaults as the schema has them: the record, its field's index, the default.
    defaults: HashMap<(PlanId, usize), Json>,
}

impl<'s> Builder<'s> {
    fn new(definitions: Definitions<'s>) -> Builder<'s> {
        Builder {
            definitions,
            plans: Vec::new(),
            reserved: HashMap::new(),
            open: VecDeque::new(),
            defaults: HashMap::new(),
        }
    }

    fn finish(mut self, root: PlanId) -> Result<Plans, String> {
        while let Some(name) = self.open.pop_front() {
            if let Some(definition) = self.definitions.0.get(&name) {
                let (schema, enclosing) = (definition.schema, definition.enclosing.clone());
                self.named(schema, &enclosing)?;
            }
        }
        let plans = self.plans.into_iter();
        let plans = plans.map(|plan| plan.expect("every reserved type has been built"));
        let mut plans = Plans::new(plans.collect(), root);
        default::encode_all(&mut plans, &self.defaults);
        Ok(plans)
    }

    fn reserve(&mut self) -> PlanId {
        self.plans.push(None);
        self.plans.len() - 1
    }

    fn add(&mut self, plan: Plan) -> PlanId {
        self.plans.push(Some(plan));
        self.plans.len() - 1
    }

    fn plan(&mut self, schema: &Json, enclosing: &str) -> Result<PlanId, String> {
        match schema {
            Json::String(name) => self.referenced(name, enclosing),
            Json::Array(branches) => {
                let branches = branches.iter();
                let branches: Result<Vec<PlanId>, String> = branches
                    .map(|branch| self.plan(branch, enclosing))
                    .collect();
                let plan = Plan::Union(branches?.into());
                Ok(self.add(plan))
            }
            Json::Object(object) => self.object(object, enclosing),
            other => Err(format!("{} is not a type", cut(&other.to_string(), 60))),
        }
    }

    /// A name: of a primitive type, or of one that is defined somewhere.
    fn referenced(&mut self, name: &str, enclosing: &str) -> Result<PlanId, String> {
        if let Some(plan) = primitive(name) {
            return Ok(self.add(plan));
        }
        let in_namespace = FullName::new(name, enclosing).name;
        // As Java's parser does: what the enclosing namespace lacks is looked for in the null namespace.
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

    fn object(&mut self, schema: &Map<String, Json>, enclosing: &str) -> Result<PlanId, String> {
        let name = match schema.get("type") {
            Some(Json::String(name)) => name.as_str(),
            Some(inner) => return self.plan(inner, enclosing),
            None => return Err("a type without `type`".to_owned()),
        };
        match name {
            "array" => {
                let items = schema.get("items").ok_or("an array without `items`")?;
                let plan = Plan::Array(self.plan(items, enclosing)?);
                Ok(self.add(plan))
            }
            "map" => {
                let values = schema.get("values").ok_or("a map without `values`")?;
                let plan = Plan::Map(self.plan(values, enclosing)?);
                Ok(self.add(plan))
            }
            "record" | "error" | "enum" | "fixed" => self.named(schema, enclosing),
            _ => match primitive(name) {
                Some(plan) => {
                    let plan = logical(schema, &plan).unwrap_or(plan);
                    Ok(self.add(plan))
                }
                None => self.referenced(name, enclosing),
            },
        }
    }

    fn named(&mut self, schema: &Map<String, Json>, enclosing: &str) -> Result<PlanId, String> {
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
        let plan = match schema.get("type").and_then(Json::as_str) {
            Some("enum") => enumeration(schema, &full.name)?,
            Some("fixed") => fixed(schema, &full.name)?,
            _ => self.record(schema, &full, id)?,
        };
        let reserved = self.plans.get_mut(id);
        *reserved.expect("a reserved id is an index of the plans") = Some(plan);
        Ok(id)
    }

    fn record(
        &mut self,
        schema: &Map<String, Json>,
        full: &FullName,
        id: PlanId,
    ) -> Result<Plan, String> {
        let name = cut(&full.name, 200);
        let written = schema.get("fields").and_then(Json::as_array);
        let written = written.ok_or_else(|| format!("the record {name} has no `fields`"))?;
        let mut fields: Vec<Field> = Vec::with_capacity(written.len());
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
            let plan = self.plan(inner, &full.namespace)?;
            if let Some(default) = field.get("default") {
                self.defaults.insert((id, index), default.clone());
            }
            fields.push(Field {
                name: field_name.into(),
                plan,
                default: None,
            });
        }
        Ok(Plan::Record(fields.into()))
    }
}

fn primitive(name: &str) -> Option<Plan> {
    Some(match name {
        "null" => Plan::Null,
        "boolean" => Plan::Boolean,
        "int" => Plan::Int,
        "long" => Plan::Long,
        "float" => Plan::Float,
        "double" => Plan::Double,
        "bytes" => Plan::Bytes,
        "string" => Plan::String,
        _ => return None,
    })
}

fn enumeration(schema: &Map<String, Json>, name: &str) -> Result<Plan, String> {
    let symbols = schema.get("symbols").and_then(Json::as_array);
    let symbols = symbols.and_then(|symbols| {
        let symbols = symbols.iter();
        symbols
            .map(|symbol| symbol.as_str().map(str::to_owned))
            .collect()
    });
    let symbols: Vec<String> =
        symbols.ok_or_else(|| format!("the enum {} has no list of `symbols`", cut(name, 200)))?;
    Ok(Plan::Enum(symbols.into()))
}

fn fixed(schema: &Map<String, Json>, name: &str) -> Result<Plan, String> {
    let size = schema.get("size").and_then(Json::as_u64);
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| format!("the fixed {} has no `size`", cut(name, 200)))?;
    let plan = Plan::Fixed(size);
    Ok(logical(schema, &plan).unwrap_or(plan))
}

/// What a logical type makes of the type below it. `None` where it is unknown or not valid for that type: then it is
/// ignored, as Avro's specification demands, and the type below is read.
fn logical(schema: &Map<String, Json>, below: &Plan) -> Option<Plan> {
    use TimeUnit::{Microseconds, Milliseconds, Nanoseconds};
    let name = schema.get("logicalType")?.as_str()?;
    Some(match (name, below) {
        ("decimal", Plan::Bytes) => decimal(schema, None)?,
        ("decimal", Plan::Fixed(size)) => decimal(schema, Some(*size))?,
        ("big-decimal", Plan::Bytes) => Plan::BigDecimal,
        ("uuid", Plan::String) => Plan::UuidText,
        ("uuid", Plan::Bytes) => Plan::UuidBytes { sized: true },
        ("uuid", Plan::Fixed(16)) => Plan::UuidBytes { sized: false },
        ("duration", Plan::Fixed(12)) => Plan::Duration,
        ("date", Plan::Int) => Plan::Date,
        ("time-millis", Plan::Int) => Plan::TimeMillis,
        ("time-micros", Plan::Long) => Plan::TimeMicros,
        ("timestamp-millis", Plan::Long) => Plan::Timestamp(Milliseconds),
        ("timestamp-micros", Plan::Long) => Plan::Timestamp(Microseconds),
        ("timestamp-nanos", Plan::Long) => Plan::Timestamp(Nanoseconds),
        ("local-timestamp-millis", Plan::Long) => Plan::LocalTimestamp(Milliseconds),
        ("local-timestamp-micros", Plan::Long) => Plan::LocalTimestamp(Microseconds),
        ("local-timestamp-nanos", Plan::Long) => Plan::LocalTimestamp(Nanoseconds),
        _ => return None,
    })
}

/// `None` for a precision or scale that a decimal cannot have, or a precision that `size` bytes cannot hold.
fn decimal(schema: &Map<String, Json>, size: Option<usize>) -> Option<Plan> {
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
    valid.then_some(Plan::Decimal {
        precision,
        scale,
        fixed: size,
    })
}
