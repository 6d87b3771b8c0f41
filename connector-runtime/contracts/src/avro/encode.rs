//! A value to Avro's bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use connect_api::{Kind, ValueRef};
use num_bigint::BigInt;

use super::logical::{self, TimeUnit};
use super::plan::{Field, Plan, PlanId, Plans};
use super::{Misfit, Trail, TrailStep};
use crate::rejection::shown;

pub(super) fn from_value(
    plans: &Plans,
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let mut writer = Writer { plans, out };
    writer.value(plans.root(), value).map_err(|unfit| Misfit {
        at: unfit.trail.place(),
        found: unfit.found,
        expected: unfit.expected,
    })
}

struct Unfit {
    found: String,
    expected: String,
    trail: Trail,
}

impl Unfit {
    fn under(mut self, step: impl FnOnce() -> TrailStep) -> Unfit {
        self.trail.0.push(step());
        self
    }
}

fn unfit(value: ValueRef<'_>, expected: impl Into<String>) -> Unfit {
    let found = match value.kind() {
        Kind::Array(_) | Kind::Object(_) => format!("an {}", value.type_name()),
        _ => shown(&value.to_json(), 60),
    };
    Unfit {
        found,
        expected: expected.into(),
        trail: Trail::default(),
    }
}

struct Writer<'a> {
    plans: &'a Plans,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, id: PlanId, value: ValueRef<'_>) -> Result<(), Unfit> {
        let plans = self.plans;
        let plan = plans.get(id);
        match plan {
            Plan::Null if value.is_null() => Ok(()),
            Plan::Boolean => match value.as_bool() {
                Some(boolean) => {
                    self.out.push(boolean.into());
                    Ok(())
                }
                None => Err(unfit(value, plan.expected())),
            },
            Plan::Float | Plan::Double => self.float(plan, value),
            Plan::Array(element) => self.array(*element, value),
            Plan::Map(member) => self.map(*member, value),
            Plan::Union(branches) => self.union(branches, value),
            Plan::Record(fields) => self.record(fields, value),
            Plan::Decimal {
                precision,
                scale,
                fixed,
            } => {
                let number = digits(value).and_then(|digits| logical::unscaled(digits, *scale));
                let fits = |number: &BigInt| number.magnitude().to_string().len() <= *precision;
                match number.filter(fits) {
                    Some(number) => self.decimal(&number, *fixed, value, plan),
                    None => Err(unfit(value, plan.expected())),
                }
            }
            Plan::Duration => self.duration(value),
            _ => match leaf(plan, value) {
                Some(Leaf::Number(number)) => {
                    self.long(number);
                    Ok(())
                }
                Some(Leaf::Sized(bytes)) => {
                    self.sized(&bytes);
                    Ok(())
                }
                Some(Leaf::Bare(bytes)) => {
                    self.out.extend_from_slice(&bytes);
                    Ok(())
                }
                None => Err(unfit(value, plan.expected())),
            },
        }
    }

    fn float(&mut self, plan: &Plan, value: ValueRef<'_>) -> Result<(), Unfit> {
        let number = match (value.as_number(), value.as_str()) {
            (Some(number), _) => Some(number.as_f64()).filter(|number| number.is_finite()),
            (None, Some("NaN")) => Some(f64::NAN),
            (None, Some("Infinity")) => Some(f64::INFINITY),
            (None, Some("-Infinity")) => Some(f64::NEG_INFINITY),
            _ => None,
        };
        let number = number.ok_or_else(|| unfit(value, plan.expected()))?;
        if matches!(plan, Plan::Double) {
            self.out.extend_from_slice(&number.to_le_bytes());
            return Ok(());
        }
        let narrow = number as f32;
        if narrow.is_infinite() && number.is_finite() {
            return Err(unfit(value, plan.expected()));
        }
        self.out.extend_from_slice(&narrow.to_le_bytes());
        Ok(())
    }

    fn array(&mut self, element: PlanId, value: ValueRef<'_>) -> Result<(), Unfit> {
        let elements = value.elements().ok_or_else(|| unfit(value, "an array"))?;
        self.count(elements.len());
        for (place, found) in elements.enumerate() {
            self.value(element, found)
                .map_err(|unfit| unfit.under(|| TrailStep::Index(place)))?;
        }
        self.end();
        Ok(())
    }

    fn map(&mut self, member: PlanId, value: ValueRef<'_>) -> Result<(), Unfit> {
        let members = value.members().ok_or_else(|| unfit(value, "an object"))?;
        self.count(members.len());
        for (name, found) in members {
            self.sized(name.as_bytes());
            let step = || TrailStep::Member(name.to_owned());
            self.value(member, found)
                .map_err(|unfit| unfit.under(step))?;
        }
        self.end();
        Ok(())
    }

    /// A block's count; an empty array or map has only the end.
    fn count(&mut self, count: usize) {
        if count > 0 {
            self.long(count as i64);
        }
    }

    fn end(&mut self) {
        self.long(0);
    }

    /// The first branch that the value's outside fits is taken; nothing is tried and taken back.
    fn union(&mut self, branches: &[PlanId], value: ValueRef<'_>) -> Result<(), Unfit> {
        let chosen = branches
            .iter()
            .position(|branch| seems_to_fit(self.plans, *branch, value));
        if let Some(place) = chosen
            && let Some(branch) = branches.get(place)
        {
            self.long(place as i64);
            return self.value(*branch, value);
        }
        let words: Vec<String> = branches
            .iter()
            .map(|branch| self.plans.get(*branch).expected())
            .collect();
        Err(unfit(value, words.join(" or ")))
    }

    fn record(&mut self, fields: &[Field], value: ValueRef<'_>) -> Result<(), Unfit> {
        let members = value.members().ok_or_else(|| unfit(value, "an object"))?;
        // A member that the record has no field for would be lost without a word.
        let mut known = 0;
        for field in fields {
            let step = || TrailStep::Member(field.name.to_string());
            let written = match (value.get(&field.name), &field.default) {
                (Some(found), _) => {
                    known += 1;
                    self.value(field.plan, found)
                }
                (None, Some(default)) => self.value(field.plan, default.root()),
                (None, None) => self.absent(field.plan),
            };
            written.map_err(|unfit| unfit.under(step))?;
        }
        if known == members.len() {
            return Ok(());
        }
        let mut members = members;
        let stranger = members.find(|(name, _)| !fields.iter().any(|field| &*field.name == *name));
        match stranger {
            Some((name, found)) => {
                Err(unfit(found, "no such field").under(|| TrailStep::Member(name.to_owned())))
            }
            None => Ok(()),
        }
    }

    /// A field that the value lacks: null where the schema takes null.
    fn absent(&mut self, id: PlanId) -> Result<(), Unfit> {
        let null = match self.plans.get(id) {
            Plan::Union(branches) => branches
                .iter()
                .position(|branch| matches!(self.plans.get(*branch), Plan::Null)),
            _ => None,
        };
        match null {
            Some(place) => {
                self.long(place as i64);
                Ok(())
            }
            None => Err(Unfit {
                found: "nothing".to_owned(),
                expected: self.plans.get(id).expected(),
                trail: Trail::default(),
            }),
        }
    }

    fn decimal(
        &mut self,
        number: &BigInt,
        fixed: Option<usize>,
        value: ValueRef<'_>,
        plan: &Plan,
    ) -> Result<(), Unfit> {
        let bytes = number.to_signed_bytes_be();
        let Some(size) = fixed else {
            self.sized(&bytes);
            return Ok(());
        };
        let missing = size
            .checked_sub(bytes.len())
            .ok_or_else(|| unfit(value, plan.expected()))?;
        let sign = if number.sign() == num_bigint::Sign::Minus {
            0xff
        } else {
            0
        };
        self.out.extend(std::iter::repeat_n(sign, missing));
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    fn duration(&mut self, value: ValueRef<'_>) -> Result<(), Unfit> {
        for name in ["months", "days", "milliseconds"] {
            let number = value.get(name).and_then(|part| part.as_number()?.as_u64());
            match number.and_then(|number| u32::try_from(number).ok()) {
                Some(number) => self.out.extend_from_slice(&number.to_le_bytes()),
                None => return Err(unfit(value, Plan::Duration.expected())),
            }
        }
        Ok(())
    }

    fn long(&mut self, number: i64) {
        write_long(self.out, number);
    }

    fn sized(&mut self, bytes: &[u8]) {
        write_sized(self.out, bytes);
    }
}

/// Zigzag in base 128, the lowest group first.
fn write_long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest > 0x7f {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// What a value without inner values is written as.
enum Leaf {
    /// Zigzag.
    Number(i64),
    /// Behind their length.
    Sized(Vec<u8>),
    Bare(Vec<u8>),
}

fn leaf(plan: &Plan, value: ValueRef<'_>) -> Option<Leaf> {
    let text = value.as_str();
    let whole = || i64::try_from(logical::unscaled(value.as_number()?.as_str(), 0)?).ok();
    let instant = |unit| match (text, whole()) {
        (Some(text), _) => logical::timestamp_of(text, unit),
        (None, Some(milliseconds)) => logical::timestamp_of_milliseconds(milliseconds, unit),
        (None, None) => None,
    };
    Some(match plan {
        Plan::Int => Leaf::Number(i32::try_from(whole()?).ok()?.into()),
        Plan::Long => Leaf::Number(whole()?),
        Plan::String => Leaf::Sized(text?.as_bytes().to_vec()),
        Plan::Bytes => Leaf::Sized(STANDARD.decode(text?).ok()?),
        Plan::Fixed(size) => Leaf::Bare(
            STANDARD
                .decode(text?)
                .ok()
                .filter(|bytes| bytes.len() == *size)?,
        ),
        Plan::Enum(symbols) => {
            let place = symbols
                .iter()
                .position(|symbol| Some(symbol.as_str()) == text)?;
            Leaf::Number(place as i64)
        }
        Plan::UuidText => {
            logical::uuid_of(text?)?;
            Leaf::Sized(text?.as_bytes().to_vec())
        }
        Plan::UuidBytes { sized: true } => Leaf::Sized(logical::uuid_of(text?)?.to_vec()),
        Plan::UuidBytes { sized: false } => Leaf::Bare(logical::uuid_of(text?)?.to_vec()),
        Plan::Date => Leaf::Number(logical::date_of(text?)?.into()),
        Plan::TimeMillis => Leaf::Number(logical::time_of(text?, TimeUnit::Milliseconds)?),
        Plan::TimeMicros => Leaf::Number(logical::time_of(text?, TimeUnit::Microseconds)?),
        Plan::Timestamp(unit) => Leaf::Number(instant(*unit)?),
        Plan::LocalTimestamp(unit) => Leaf::Number(logical::local_timestamp_of(text?, *unit)?),
        Plan::BigDecimal => Leaf::Sized(big_decimal(digits(value)?)?),
        _ => return None,
    })
}

/// The number and its own scale, as one run of bytes.
fn big_decimal(digits: &str) -> Option<Vec<u8>> {
    let scale = logical::decimals(digits)?;
    let number = logical::unscaled(digits, scale)?;
    let mut inner = Vec::new();
    write_sized(&mut inner, &number.to_signed_bytes_be());
    write_long(&mut inner, scale.into());
    Some(inner)
}

/// A number's digits, also where they are written as text.
fn digits(value: ValueRef<'_>) -> Option<&str> {
    match value.as_number() {
        Some(number) => Some(number.as_str()),
        None => value.as_str(),
    }
}

/// Whether a union's branch is the one for this value, by its outside.
fn seems_to_fit(plans: &Plans, id: PlanId, value: ValueRef<'_>) -> bool {
    match plans.get(id) {
        Plan::Null => value.is_null(),
        Plan::Boolean => value.as_bool().is_some(),
        Plan::Float | Plan::Double => {
            let word = matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"));
            value.as_number().is_some() || word
        }
        Plan::Array(_) => value.elements().is_some(),
        Plan::Map(_) | Plan::Duration => value.members().is_some(),
        Plan::Union(_) => false,
        Plan::Record(fields) => value.members().is_some_and(|mut members| {
            let needed = fields.iter().filter(|field| field.default.is_none());
            let mut missing = needed.filter(|field| value.get(&field.name).is_none());
            missing.all(|field| matches!(plans.get(field.plan), Plan::Union(_)))
                && members.all(|(name, _)| fields.iter().any(|field| &*field.name == name))
        }),
        Plan::Decimal { scale, .. } => {
            digits(value).is_some_and(|digits| logical::unscaled(digits, *scale).is_some())
        }
        plan => leaf(plan, value).is_some(),
    }
}
