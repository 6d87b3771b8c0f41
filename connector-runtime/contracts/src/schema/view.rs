//! The static view of a contract: the type and presence of a node, for comparison with a sink's columns.
//!
//! It claims only what is certain for every valid value. `$ref` and `allOf` are followed; conditions (`anyOf`, `oneOf`, `if`, `not`)
//! result in "unknown". A keyword applies in the drafts that have it.

use connect_api::{
    Cause, Contract, ContractField, ContractPlace, PathStep, Presence, ValueRef, pointer,
};
use jsonschema::Draft;
use serde_json::Value as Json;

use super::JsonSchemaContract;
use super::document::Document;
use super::folder::{id_of, percent_decoded, resolve, without_fragment};

/// `$ref`s that are followed for one step, which bounds cycles.
const MOST_REFERENCES: usize = 32;

/// Conditional keywords. A node below them is unknown, unless unconditional keywords describe it, too.
const CONDITIONAL: [&str; 8] = [
    "anyOf",
    "oneOf",
    "if",
    "not",
    "dependentSchemas",
    "dependencies",
    "$dynamicRef",
    "$recursiveRef",
];

/// A schema object and its location.
#[derive(Clone)]
struct Spot<'s> {
    /// The URI of its document.
    uri: &'s str,
    document: &'s Document,
    pointer: String,
    schema: &'s Json,
    draft: Draft,
    /// A `$ref` could not be followed here, so further constraints may apply.
    is_open: bool,
}

impl Contract for JsonSchemaContract {
    fn check(&self, value: ValueRef<'_>) -> Result<(), Cause> {
        self.validate(value).map_err(Cause::from)
    }

    fn field(&self, steps: &[Option<PathStep>]) -> ContractField {
        let Some((uri, document)) = self.documents.get_key_value(&self.uri) else {
            return ContractField::unknown(None);
        };
        let root = Spot {
            uri,
            document,
            pointer: String::new(),
            schema: &document.value,
            draft: self.draft_of(document),
            is_open: false,
        };
        let mut here = self.all_of(root);
        let mut presence = Presence::Always;
        for step in steps {
            let taken = take(&here, step.as_ref());
            if taken.presence == Presence::Never {
                return ContractField {
                    presence: Presence::Never,
                    types: Vec::new(),
                    place: taken.place,
                };
            }
            if taken.spots.is_empty() {
                return ContractField::unknown(taken.place);
            }
            presence = weaker(presence, taken.presence);
            here = taken
                .spots
                .into_iter()
                .flat_map(|spot| self.all_of(spot))
                .collect();
        }
        ContractField {
            presence,
            types: types_of(&here).into_iter().map(str::to_owned).collect(),
            place: here.first().map(|spot| spot.document.place(&spot.pointer)),
        }
    }
}

impl JsonSchemaContract {
    /// The schema and all schemas that apply together with it: its references and its `allOf`.
    fn all_of<'s>(&'s self, spot: Spot<'s>) -> Vec<Spot<'s>> {
        let mut found: Vec<Spot<'s>> = Vec::new();
        let mut open = vec![spot];
        while let Some(mut spot) = open.pop() {
            if found.len() > MOST_REFERENCES {
                spot.is_open = true;
                found.push(spot);
                break;
            }
            if let Some(reference) = spot.schema.get("$ref").and_then(Json::as_str) {
                match self.follow(&spot, reference) {
                    Some(target) => open.push(target),
                    None => spot.is_open = true,
                }
                // Up to draft 7 a `$ref` makes its sibling keywords ignored.
                if !is_modern(spot.draft) {
                    continue;
                }
            }
            for place in 0..spot
                .schema
                .get("allOf")
                .and_then(Json::as_array)
                .map_or(0, Vec::len)
            {
                open.extend(spot.child(&format!("/allOf/{place}")));
            }
            found.push(spot);
        }
        found
    }

    /// A document that names no draft is of the draft of the schema that refers to it.
    fn draft_of(&self, document: &Document) -> Draft {
        let root = self.documents.get(&self.uri);
        let root = root.map_or(Draft::default(), |root| {
            Draft::default().detect(&root.value)
        });
        root.detect(&document.value)
    }

    /// The target of a `$ref`; `None` for anchors and others that only the validator resolves.
    fn follow<'s>(&'s self, from: &Spot<'s>, reference: &str) -> Option<Spot<'s>> {
        let base = id_of(from.uri, &from.document.value).unwrap_or_else(|| from.uri.to_owned());
        let target = resolve(&base, reference)?;
        let (uri, document) = self.documents.get_key_value(without_fragment(&target))?;
        let fragment = target.split_once('#').map_or("", |(_, fragment)| fragment);
        let pointer = percent_decoded(fragment);
        Some(Spot {
            uri,
            document,
            schema: document.value.pointer(&pointer)?,
            pointer,
            draft: self.draft_of(document),
            is_open: false,
        })
    }
}

impl<'s> Spot<'s> {
    fn child(&self, pointer: &str) -> Option<Spot<'s>> {
        Some(Spot {
            schema: self.schema.pointer(pointer)?,
            pointer: format!("{}{pointer}", self.pointer),
            ..self.clone()
        })
    }

    fn place(&self) -> ContractPlace {
        self.document.place(&self.pointer)
    }

    fn is_conditional(&self) -> bool {
        self.is_open
            || CONDITIONAL
                .iter()
                .any(|keyword| self.schema.get(keyword).is_some())
    }
}

/// From 2019-09 on, siblings of `$ref` count, and `unevaluatedProperties` is one.
fn is_modern(draft: Draft) -> bool {
    !matches!(draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7)
}

/// The keyword whose list is one schema an element.
fn tuple_keyword(draft: Draft) -> &'static str {
    match draft {
        Draft::Draft4 | Draft::Draft6 | Draft::Draft7 | Draft::Draft201909 => "items",
        _ => "prefixItems",
    }
}

/// The result of one step.
struct Taken<'s> {
    presence: Presence,
    spots: Vec<Spot<'s>>,
    place: Option<ContractPlace>,
}

fn take<'s>(here: &[Spot<'s>], step: Option<&PathStep>) -> Taken<'s> {
    match step {
        Some(PathStep::Name(name)) => take_member(here, name),
        Some(PathStep::Index(place)) => take_element(here, Some(*place)),
        None => take_element(here, None),
    }
}

fn take_member<'s>(here: &[Spot<'s>], name: &str) -> Taken<'s> {
    let escaped = pointer::escape(name);
    let named: Vec<Spot<'s>> = here
        .iter()
        .filter_map(|spot| spot.child(&format!("/properties/{escaped}")))
        .collect();
    let required = here.iter().any(|spot| {
        let names = spot.schema.get("required").and_then(Json::as_array);
        names.is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)))
    });
    let excluded = here
        .iter()
        .find_map(|spot| excludes(spot, here, name, &escaped));
    let never = named
        .iter()
        .find(|spot| spot.schema == &Json::Bool(false))
        .map(Spot::place);
    if let Some(place) = excluded.or(never) {
        return Taken {
            presence: Presence::Never,
            spots: Vec::new(),
            place: Some(place),
        };
    }
    // `required` applies to objects only: with another type the member may be absent.
    let is_object = types_of(here) == ["object"];
    let presence = match (required && is_object, named.is_empty()) {
        (true, _) => Presence::Always,
        (false, false) => Presence::Sometimes,
        (false, true) => Presence::Unknown,
    };
    let others = |spot: &Spot<'s>| {
        spot.child("/additionalProperties")
            .filter(|spot| spot.schema.is_object())
    };
    let spots = match (named.is_empty(), required) {
        (false, _) => named,
        (true, _) => here.iter().filter_map(others).collect(),
    };
    Taken {
        presence: match (presence, spots.is_empty()) {
            (Presence::Unknown, false) => Presence::Sometimes,
            (presence, _) => presence,
        },
        place: here.first().map(Spot::place),
        spots,
    }
}

/// The location that excludes members of this name.
fn excludes<'s>(
    spot: &Spot<'s>,
    here: &[Spot<'s>],
    name: &str,
    escaped: &str,
) -> Option<ContractPlace> {
    let declares = |spot: &Spot<'s>| {
        spot.schema
            .pointer(&format!("/properties/{escaped}"))
            .is_some()
            || patterns_may_match(spot.schema, name)
    };
    let additional = spot.child("/additionalProperties");
    if let Some(additional) = additional
        && additional.schema == &Json::Bool(false)
        && !declares(spot)
    {
        return Some(additional.place());
    }
    // `unevaluatedProperties` sees what its neighbours declare, conditions among them.
    let unevaluated = spot.child("/unevaluatedProperties")?;
    let closed = is_modern(spot.draft)
        && unevaluated.schema == &Json::Bool(false)
        && !here
            .iter()
            .any(|spot| declares(spot) || spot.is_conditional());
    closed.then(|| unevaluated.place())
}

fn patterns_may_match(schema: &Json, name: &str) -> bool {
    let patterns = schema.get("patternProperties").and_then(Json::as_object);
    patterns.is_some_and(|patterns| {
        patterns.keys().any(|pattern| {
            regex::Regex::new(pattern).map_or(true, |pattern| pattern.is_match(name))
        })
    })
}

fn take_element<'s>(here: &[Spot<'s>], index: Option<i64>) -> Taken<'s> {
    let spots: Vec<Spot<'s>> = here
        .iter()
        .filter_map(|spot| {
            let keyword = tuple_keyword(spot.draft);
            let tuple = |index: i64| spot.child(&format!("/{keyword}/{index}"));
            let of_place = index.filter(|index| *index >= 0).and_then(tuple);
            let has_tuple = spot.schema.get(keyword).is_some_and(Json::is_array);
            let rest = spot.child("/items").filter(|spot| spot.schema.is_object());
            // With a tuple, `items` applies only to the elements after it.
            of_place.or(rest.filter(|_| !has_tuple))
        })
        .collect();
    let is_array = types_of(here) == ["array"];
    let longest = here
        .iter()
        .filter_map(|spot| spot.schema.get("minItems")?.as_i64())
        .max()
        .unwrap_or(0);
    let presence = match index {
        // Every element exists.
        None if is_array => Presence::Always,
        Some(index) if is_array && (0..longest).contains(&index) => Presence::Always,
        _ => Presence::Sometimes,
    };
    Taken {
        presence,
        place: here.first().map(Spot::place),
        spots,
    }
}

/// The types that all schemas allow; empty if none restricts types.
fn types_of<'s>(here: &[Spot<'s>]) -> Vec<&'s str> {
    let mut allowed: Option<Vec<&'s str>> = None;
    for said in here.iter().filter_map(said_types) {
        allowed = Some(match allowed {
            None => said,
            Some(before) => both(&before, &said),
        });
    }
    allowed.unwrap_or_default()
}

fn said_types<'s>(spot: &Spot<'s>) -> Option<Vec<&'s str>> {
    let schema = spot.schema;
    if let Some(types) = schema.get("type") {
        return match types {
            Json::String(one) => Some(vec![one]),
            Json::Array(many) => Some(many.iter().filter_map(Json::as_str).collect()),
            _ => None,
        };
    }
    let constant = schema.get("const").filter(|_| spot.draft != Draft::Draft4);
    let values: Vec<&Json> = match (constant, schema.get("enum")) {
        (Some(constant), _) => vec![constant],
        (None, Some(Json::Array(options))) => options.iter().collect(),
        _ => return None,
    };
    let mut types: Vec<&str> = values.into_iter().map(type_of).collect();
    types.sort_unstable();
    types.dedup();
    Some(types)
}

/// JSON Schema's word for the type of a value.
pub fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Both lists' common types; an integer is a number too.
fn both<'s>(left: &[&'s str], right: &[&'s str]) -> Vec<&'s str> {
    let fits = |one: &str, others: &[&str]| {
        others.contains(&one) || (one == "integer" && others.contains(&"number"))
    };
    let mut common: Vec<&'s str> = left
        .iter()
        .copied()
        .filter(|one| fits(one, right))
        .collect();
    common.extend(
        right
            .iter()
            .copied()
            .filter(|one| !left.contains(one) && fits(one, left)),
    );
    common
}

fn weaker(left: Presence, right: Presence) -> Presence {
    match (left, right) {
        (Presence::Never, _) | (_, Presence::Never) => Presence::Never,
        (Presence::Unknown, _) | (_, Presence::Unknown) => Presence::Unknown,
        (Presence::Sometimes, _) | (_, Presence::Sometimes) => Presence::Sometimes,
        (Presence::Always, Presence::Always) => Presence::Always,
    }
}
