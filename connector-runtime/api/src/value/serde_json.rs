//! From and to `serde_json::Value`, for authors who prefer it; and from anything that serializes.

use serde::Serialize;

use super::{Kind, Node, Span, Value, ValueRef};

impl Value {
    /// Any serializable value, for example a source's own struct.
    pub fn from_serialize<T: Serialize>(value: &T) -> Result<Value, ::serde_json::Error> {
        let text = ::serde_json::to_vec(value)?;
        Value::parse_json(text.into(), super::JsonLimits::default())
            .map_err(serde::ser::Error::custom)
    }
}

impl From<&::serde_json::Value> for Value {
    fn from(source: &::serde_json::Value) -> Value {
        let mut value = Value::null();
        value.nodes.clear();
        append(&mut value, source);
        value
    }
}

fn append(value: &mut Value, source: &::serde_json::Value) {
    use ::serde_json::Value as Json;
    let node = match source {
        Json::Null => Node::Null,
        Json::Bool(boolean) => Node::Bool(*boolean),
        Json::Number(number) => Node::Number(Span::append(&mut value.text, &number.to_string())),
        Json::String(content) => Node::String(Span::append(&mut value.text, content)),
        Json::Array(elements) => {
            let start = value.nodes.len();
            value.nodes.push(Node::Null);
            elements.iter().for_each(|element| append(value, element));
            let nodes = (value.nodes.len() - start) as u32;
            return close(
                value,
                start,
                Node::Array {
                    members: elements.len() as u32,
                    nodes,
                },
            );
        }
        Json::Object(members) => {
            let start = value.nodes.len();
            value.nodes.push(Node::Null);
            for (name, member) in members {
                let span = Span::append(&mut value.text, name);
                value.nodes.push(Node::String(span));
                append(value, member);
            }
            let nodes = (value.nodes.len() - start) as u32;
            return close(
                value,
                start,
                Node::Object {
                    members: members.len() as u32,
                    nodes,
                },
            );
        }
    };
    value.nodes.push(node);
}

fn close(value: &mut Value, start: usize, node: Node) {
    if let Some(opened) = value.nodes.get_mut(start) {
        *opened = node;
    }
}

impl ValueRef<'_> {
    /// As `serde_json::Value`. A number beyond 64 bits becomes the nearest float there: that type holds no more.
    pub fn to_serde_json(self) -> ::serde_json::Value {
        use ::serde_json::Value as Json;
        match self.kind() {
            Kind::Null => Json::Null,
            Kind::Bool(boolean) => Json::Bool(boolean),
            Kind::Number(number) => ::serde_json::from_str(number.as_str()).unwrap_or(Json::Null),
            Kind::String(content) => Json::String(content.to_owned()),
            Kind::Array(elements) => elements.map(ValueRef::to_serde_json).collect(),
            Kind::Object(members) => members
                .map(|(name, member)| (name.to_owned(), member.to_serde_json()))
                .collect(),
        }
    }
}
