//! The part of a record that a transform works on, and findings that several transforms report.

use connect_api::{
    Cause, Explanation, Field, Fields, Finding, Key, Record, Reference, Step, Value, pointer,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value or the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    #[default]
    Value,
    Key,
}

impl Part {
    /// Edits this part. A tombstone and an absent key pass unchanged, because they have nothing to edit.
    pub(crate) fn edit(
        self,
        mut record: Record,
        change: impl FnOnce(&mut Value) -> Result<(), Cause>,
    ) -> Result<Step, Cause> {
        let part = match self {
            Part::Value => record.value.as_mut(),
            Part::Key => decoded(&mut record.key)?,
        };
        if let Some(part) = part {
            change(part)?;
        }
        Ok(Step::Keep(record))
    }

    pub(crate) fn is_key(self) -> bool {
        self == Part::Key
    }
}

/// The decoded key; `None` if the record has none.
pub(crate) fn decoded(key: &mut Key) -> Result<Option<&mut Value>, Cause> {
    match key {
        Key::Absent => Ok(None),
        Key::Decoded(key) => Ok(Some(key)),
        Key::Undecodable(reason) => Err(Cause::new(&**reason)),
    }
}

/// `transform.header`, for transforms that write headers.
pub(crate) const HEADER: Explanation = Explanation {
    code: "transform.header",
    why: "Headers that begin with `__connect.` say why and where this program rejected a record. One that a transform writes would be mistaken for that.",
    example: "[[transforms]]\ntype = \"insert_header\"\nname = \"__connect.errors.topic\"\nvalue = \"x\"",
    fix: "[[transforms]]\ntype = \"insert_header\"\nname = \"errors_topic\"\nvalue = \"x\"",
};

/// Checks the name of a header that a transform writes.
pub(crate) fn check_header(pointer: &str, name: &str) -> Result<(), Finding> {
    if name.starts_with("__connect.") {
        let message = "headers that begin with `__connect.` are reserved for this program";
        return Err(Finding::error(HEADER.code, pointer, message));
    }
    Ok(())
}

/// `transform.timezone`, for transforms that work in a time zone.
pub(crate) const TIMEZONE: Explanation = Explanation {
    code: "transform.timezone",
    why: "A time zone is a name of the IANA database; abbreviations such as CET mean several.",
    example: "timezone = \"Berlin\"",
    fix: "timezone = \"Europe/Berlin\"",
};

/// The time zone that is configured as `timezone`.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone, Finding> {
    TimeZone::get(name).map_err(|_| {
        let message = format!("`{name}` is not a time zone of the IANA database");
        Finding::error(TIMEZONE.code, "/timezone", message)
            .with_help("write a name such as \"Europe/Berlin\" or \"UTC\"")
    })
}

/// The default of `timezone`.
pub(crate) fn utc() -> String {
    "UTC".to_owned()
}

/// Writes `new` to the field.
pub(crate) fn insert(value: &mut Value, field: &Field, new: Value) -> Result<(), Cause> {
    value
        .insert(field.path(), new)
        .map_err(|error| Cause::new(error.message))
}

/// `transform.field`, for transforms whose fields are keys of a table or must have a name.
pub(crate) const FIELD: Explanation = Explanation {
    code: "transform.field",
    why: "A field is the name of a member at the top, or a path that starts with `$`. A dot in a bare name could mean either, so a path is required.",
    example: "fields = { \"store.id\" = \"string\" }",
    fix: "fields = { \"$.store.id\" = \"string\" }",
};

pub(crate) const REFERENCE: Explanation = Explanation {
    code: "transform.reference",
    why: "`@…` and `#index` start at the element of a table's `each`; a transform sees a whole record.",
    example: "from = \"@.sku\"",
    fix: "from = \"$.items[0].sku\"",
};

/// The reference, if it needs only a record and no element of `each`.
pub(crate) fn of_record(from: &Reference) -> Result<Reference, Finding> {
    if from.needs_element() {
        let message =
            format!("`{from}` refers to an element of `each`; a transform sees a whole record");
        return Err(Finding::error("transform.reference", "/from", message));
    }
    Ok(from.clone())
}

/// `transform.content`, for transforms that need one of several keys.
pub(crate) const CONTENT: Explanation = Explanation {
    code: "transform.content",
    why: "Without one of its keys the transform would do nothing, and two keys that exclude each other leave its meaning undefined.",
    example: "[[transforms]]\ntype = \"insert_field\"\nfield = \"ingested_at\"",
    fix: "[[transforms]]\ntype = \"insert_field\"\nfield = \"ingested_at\"\nfrom = \"#now\"",
};

/// Parses the field that is a key of the table at this pointer. The loader checks the format of values only, not of
/// keys.
pub(crate) fn parse_key(table: &str, key: &str) -> Result<Field, Finding> {
    Field::parse(key).map_err(|reason| unreadable_key(table, key, reason))
}

/// The same for a key that can mean a field in every element of an array.
pub(crate) fn parse_fields_key(table: &str, key: &str) -> Result<Fields, Finding> {
    Fields::parse(key).map_err(|reason| unreadable_key(table, key, reason))
}

fn unreadable_key(table: &str, key: &str, reason: String) -> Finding {
    Finding::error("transform.field", pointer::member(table, key), reason)
}
