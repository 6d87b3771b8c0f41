//! Explains why a value breaks its contract: the path, what was found, what was expected.

use connect_api::text::counted;
use connect_api::{Found, Kind, ValueRef, pointer};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

use super::JsonSchemaContract;
use super::folder::{percent_decoded, without_fragment};
use crate::fault::ValueFault;
use crate::instance_path::{push_index, push_member};
use connect_api::text::cut;

/// Characters of a value, a pattern or a list in messages.
const SHOWN: usize = 60;

/// What a message says beside the place.
struct Story {
    /// A member that is missing or unexpected, to append to the path.
    member: Option<String>,
    found: Option<Found>,
    expected: String,
}

impl Story {
    fn expecting(expected: impl Into<String>) -> Story {
        Story {
            member: None,
            found: None,
            expected: expected.into(),
        }
    }
}

pub(super) fn rejection(
    schema: &JsonSchemaContract,
    value: ValueRef<'_>,
    error: &ValidationError<'_>,
) -> ValueFault {
    let error = most_telling(error);
    let (mut at, place) = locate(value, error.instance_path().as_str());
    let story = tell(schema, place, error);
    if let Some(member) = &story.member {
        push_member(&mut at, member);
    }
    let found = story
        .found
        .or_else(|| place.map(Found::from))
        .unwrap_or_else(|| found_json(error.instance()));
    ValueFault {
        contract: Some(schema.name.clone()),
        ..ValueFault::contract(&at, found, story.expected)
    }
}

/// For a value whose explanation would exceed the limits.
pub(super) fn without_reason(schema: &JsonSchemaContract, value: ValueRef<'_>) -> ValueFault {
    let expected =
        "what the schema allows (too many possibilities to say where it differs)".to_owned();
    ValueFault {
        contract: Some(schema.name.clone()),
        ..ValueFault::contract("$", Found::from(value), expected)
    }
}

/// The deepest error of all branches of `anyOf` and `oneOf`, which is most likely in the intended branch.
fn most_telling<'e, 'i>(error: &'e ValidationError<'i>) -> &'e ValidationError<'i>
where
    'i: 'e,
{
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return error;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let deepest = context
        .iter()
        .filter_map(|branch| branch.iter().max_by_key(|error| depth(error)))
        .max_by_key(|error| depth(error));
    match deepest {
        Some(deepest) if depth(deepest) > depth(error) => most_telling(deepest),
        _ => error,
    }
}

/// The path, such as `$.items[2].quantity`, and its node.
fn locate<'a>(root: ValueRef<'a>, pointer: &str) -> (String, Option<ValueRef<'a>>) {
    let mut at = String::from("$");
    let mut place = Some(root);
    for token in pointer::tokens(pointer) {
        let index = token.parse::<usize>().ok();
        match (place.map(ValueRef::kind), index) {
            (Some(Kind::Array(_)), Some(index)) => {
                push_index(&mut at, index);
                place = place.and_then(|place| place.at(index as i64));
            }
            _ => {
                push_member(&mut at, &token);
                place = place.and_then(|place| place.get(&token));
            }
        }
    }
    (at, place)
}

/// Describes the validator's instance, if the node was not found.
fn found_json(value: &Json) -> Found {
    match value {
        Json::Null => Found::new("null"),
        Json::Bool(is_true) => Found::boolean(*is_true),
        Json::Number(number) => Found::number(&number.to_string()),
        Json::String(content) => Found::string(content),
        Json::Array(elements) => Found::elements(elements.len()),
        Json::Object(members) => Found::members(members.len()),
    }
}

/// A literal of a schema in a message: scalars as JSON, cut; of arrays and objects only the size.
pub(super) fn literal(value: ValueRef<'_>) -> String {
    let Found { description, value } = Found::from(value);
    value.unwrap_or(description)
}

/// As [`literal`].
pub(super) fn literal_json(value: &Json) -> String {
    let Found { description, value } = found_json(value);
    value.unwrap_or(description)
}

fn tell(
    schema: &JsonSchemaContract,
    place: Option<ValueRef<'_>>,
    error: &ValidationError<'_>,
) -> Story {
    use ValidationErrorKind as Failed;
    let siblings = enclosing_schema(schema, error);
    let keyword = error.kind().keyword();
    let named = |words: String| Story::expecting(format!("{words} ({keyword})"));
    match error.kind() {
        Failed::Type { kind } => named(type_words(kind)),
        Failed::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let wanted = siblings
                .and_then(|siblings| types_of(siblings.get("properties")?.get(name)?.get("type")))
                .unwrap_or_else(|| "a value".to_owned());
            Story {
                member: Some(name.to_owned()),
                found: Some(Found::nothing()),
                ..named(wanted)
            }
        }
        Failed::AdditionalProperties { unexpected }
        | Failed::UnevaluatedProperties { unexpected } => {
            unexpected_member(place, unexpected, keyword)
        }
        // The keywords of `numbers` have their own messages.
        Failed::Custom { message, .. } => Story::expecting(message),
        Failed::Pattern { pattern } => named(format!("text that matches {}", cut(pattern, SHOWN))),
        Failed::Format { format } => named(format!("text of the format {}", cut(format, SHOWN))),
        Failed::MinItems { limit } => named(format!("at least {}", counted(*limit, "element"))),
        Failed::MaxItems { limit } => named(format!("at most {}", counted(*limit, "element"))),
        Failed::MinLength { limit } => named(format!("at least {}", counted(*limit, "character"))),
        Failed::MaxLength { limit } => named(format!("at most {}", counted(*limit, "character"))),
        Failed::MinProperties { limit } => named(format!("at least {}", counted(*limit, "member"))),
        Failed::MaxProperties { limit } => named(format!("at most {}", counted(*limit, "member"))),
        Failed::UniqueItems => named("no element twice".to_owned()),
        Failed::FalseSchema => Story::expecting("nothing here (the schema is `false`)"),
        Failed::Not { .. } => named("a value the schema does not exclude".to_owned()),
        Failed::AnyOf { context } => named(format!("one of {} schemas to fit", context.len())),
        Failed::OneOfNotValid { context } => {
            named(format!("one of {} schemas to fit", context.len()))
        }
        Failed::OneOfMultipleValid { .. } => named("exactly one schema to fit".to_owned()),
        Failed::Contains => named("an element that the schema asks for".to_owned()),
        Failed::PropertyNames { error } => named(format!(
            "member names that are valid ({})",
            cut(&error.masked_with("a name").to_string(), SHOWN)
        )),
        _ => named(cut(&error.masked().to_string(), 2 * SHOWN)),
    }
}

pub(super) fn type_words(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => with_article(one.as_str()),
        TypeKind::Multiple(many) => {
            joined(many.iter().map(|one| with_article(one.as_str())).collect())
        }
    }
}

fn unexpected_member(place: Option<ValueRef<'_>>, unexpected: &[String], keyword: &str) -> Story {
    let first = unexpected.first().map(String::as_str).unwrap_or_default();
    let others = match unexpected.len() {
        0 | 1 => String::new(),
        count => format!(", nor {} more that are there", count - 1),
    };
    Story {
        member: Some(first.to_owned()),
        found: place.and_then(|place| place.get(first)).map(Found::from),
        expected: format!("no such member{others} ({keyword})"),
    }
}

/// The schema object that contains the failed keyword.
fn enclosing_schema<'s>(
    schema: &'s JsonSchemaContract,
    error: &ValidationError<'_>,
) -> Option<&'s Json> {
    let location = error.absolute_keyword_location()?.as_str();
    let (_, pointer) = location.split_once('#')?;
    let document = schema.documents.get(without_fragment(location))?;
    let (enclosing, _) = pointer.rsplit_once('/')?;
    document.value.pointer(&percent_decoded(enclosing))
}

/// The types of a schema's `type`, in words.
pub(super) fn types_of(types: Option<&Json>) -> Option<String> {
    match types? {
        Json::String(one) => Some(with_article(one)),
        Json::Array(many) => Some(joined(
            many.iter()
                .filter_map(Json::as_str)
                .map(with_article)
                .collect(),
        )),
        _ => None,
    }
}

fn with_article(type_name: &str) -> String {
    match type_name {
        "null" => "null".to_owned(),
        "integer" | "array" | "object" => format!("an {type_name}"),
        _ => format!("a {type_name}"),
    }
}

fn joined(words: Vec<String>) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
