//! Infers the schema of a value. Every member and element is optional, because the next value may lack it.

use connect_api::{Kind, ValueRef};

use super::{Problem, decimal, write};

/// An inferred type.
#[derive(Debug, PartialEq)]
pub(super) enum Inferred {
    /// Only nulls have been seen, or no element at all.
    Unknown,
    Boolean,
    /// `fits_double` if a double holds all numbers seen.
    Integer {
        fits_double: bool,
    },
    Double,
    String,
    Bytes,
    Array(Box<Inferred>),
    Struct(Vec<(String, Inferred)>),
}

pub(super) fn schema_of(value: ValueRef<'_>) -> Result<Inferred, Problem> {
    Ok(match value.kind() {
        Kind::Null => Inferred::Unknown,
        Kind::Bool(_) => Inferred::Boolean,
        Kind::Number(number) => number_of(value, number.as_str())?,
        Kind::String(_) => Inferred::String,
        Kind::Bytes(_) => Inferred::Bytes,
        Kind::Array(elements) => {
            let mut common = Inferred::Unknown;
            for (index, element) in elements.enumerate() {
                let inferred = schema_of(element).map_err(|problem| problem.in_element(index))?;
                common = common.join(inferred).ok_or_else(|| {
                    let expected = "an element of the same type as those before it";
                    Problem::of(Some(element), expected).in_element(index)
                })?;
            }
            Inferred::Array(Box::new(common))
        }
        Kind::Object(members) => {
            let mut fields = Vec::with_capacity(members.len());
            for (name, member) in members {
                let inferred = schema_of(member).map_err(|problem| problem.in_member(name))?;
                fields.push((name.to_owned(), inferred));
            }
            Inferred::Struct(fields)
        }
    })
}

fn number_of(value: ValueRef<'_>, digits: &str) -> Result<Inferred, Problem> {
    let is_double = write::shortest::<f64>(digits)
        .is_some_and(|shortest| decimal::are_equal(digits, &shortest));
    match value.as_number().and_then(|number| number.as_i64()) {
        Some(_) => Ok(Inferred::Integer {
            fits_double: is_double,
        }),
        None if is_double => Ok(Inferred::Double),
        None => Err(Problem::of(
            Some(value),
            "a number that int64 or double holds exactly; a Decimal in `write_schema` holds any",
        )),
    }
}

impl Inferred {
    /// The type that holds both, if there is one.
    fn join(self, other: Inferred) -> Option<Inferred> {
        use Inferred::{Array, Double, Integer, Struct, Unknown};
        Some(match (self, other) {
            (Unknown, known) | (known, Unknown) => known,
            (Integer { fits_double: left }, Integer { fits_double: right }) => Integer {
                fits_double: left && right,
            },
            (Integer { fits_double: true }, Double) | (Double, Integer { fits_double: true }) => {
                Double
            }
            (Array(left), Array(right)) => Array(Box::new(left.join(*right)?)),
            (Struct(left), Struct(right)) => Struct(join_fields(left, right)?),
            (left, right) if left == right => left,
            _ => return None,
        })
    }

    /// Appends the schema of a whole value.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let optional = matches!(self, Inferred::Unknown);
        self.write_as(None, optional, out);
    }

    fn write_as(&self, field: Option<&str>, optional: bool, out: &mut Vec<u8>) {
        let kind = match self {
            // Any type would do: there is nothing but null.
            Inferred::Unknown | Inferred::String => "string",
            Inferred::Boolean => "boolean",
            Inferred::Integer { .. } => "int64",
            Inferred::Double => "double",
            Inferred::Bytes => "bytes",
            Inferred::Array(_) => "array",
            Inferred::Struct(_) => "struct",
        };
        out.extend_from_slice(format!("{{\"type\":\"{kind}\"").as_bytes());
        match self {
            Inferred::Array(items) => {
                out.extend_from_slice(b",\"items\":");
                items.write_as(None, true, out);
            }
            Inferred::Struct(fields) => {
                out.extend_from_slice(b",\"fields\":[");
                for (index, (name, inferred)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    inferred.write_as(Some(name), true, out);
                }
                out.push(b']');
            }
            _ => {}
        }
        out.extend_from_slice(format!(",\"optional\":{optional}").as_bytes());
        if let Some(name) = field {
            out.extend_from_slice(b",\"field\":");
            serde_json::to_writer(&mut *out, name).expect("a vector takes any text");
        }
        out.push(b'}');
    }
}

fn join_fields(
    mut left: Vec<(String, Inferred)>,
    right: Vec<(String, Inferred)>,
) -> Option<Vec<(String, Inferred)>> {
    for (name, inferred) in right {
        match left.iter_mut().find(|(other, _)| *other == name) {
            Some((_, known)) => {
                let before = std::mem::replace(known, Inferred::Unknown);
                *known = before.join(inferred)?;
            }
            None => left.push((name, inferred)),
        }
    }
    Some(left)
}
