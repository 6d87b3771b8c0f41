//! From and to `serde_json::Value`, for authors who prefer it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{BuildError, Kind, Value, ValueBuilder, ValueLimits, ValueRef};

impl From<&::serde_json::Value> for Value {
    fn from(source: &::serde_json::Value) -> Value {
        let mut builder = ValueBuilder::new(ValueLimits::unlimited());
        append(&mut builder, source)
            .expect("a tree in memory exceeds no limit and has each key once");
        builder.finish()
    }
}

fn append(builder: &mut ValueBuilder, source: &::serde_json::Value) -> Result<(), BuildError> {
    use ::serde_json::Value as Json;
    match source {
        Json::Null => builder.null(),
        Json::Bool(boolean) => builder.boolean(*boolean),
        Json::Number(number) => builder.number(&number.to_string()),
        Json::String(content) => builder.string(content),
        Json::Array(elements) => {
            builder.begin_array()?;
            for element in elements {
                append(builder, element)?;
            }
            builder.end()
        }
        Json::Object(members) => {
            builder.begin_object()?;
            for (name, member) in members {
                builder.key(name)?;
                append(builder, member)?;
            }
            builder.end()
        }
    }
}

impl ValueRef<'_> {
    /// As `serde_json::Value`. A number beyond 64 bits becomes the nearest float there, and bytes their base64: that type
    /// holds no more.
    pub fn to_serde_json(self) -> ::serde_json::Value {
        use ::serde_json::Value as Json;
        match self.kind() {
            Kind::Null => Json::Null,
            Kind::Bool(boolean) => Json::Bool(boolean),
            Kind::Number(number) => ::serde_json::from_str(number.as_str()).unwrap_or(Json::Null),
            Kind::String(content) => Json::String(content.to_owned()),
            Kind::Bytes(content) => Json::String(STANDARD.encode(content)),
            Kind::Array(elements) => elements.map(ValueRef::to_serde_json).collect(),
            Kind::Object(members) => members
                .map(|(name, member)| (name.to_owned(), member.to_serde_json()))
                .collect(),
        }
    }
}
