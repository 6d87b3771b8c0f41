//! The messages and enums that a schema's files define, by full name.

use std::collections::{HashMap, HashSet};

use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, EnumDescriptorProto};

use super::files::ProtoFile;
use super::schema::{EnumId, MessageId};
use connect_api::text::cut;

/// Bytes of a full name. Names are looked up in every scope, so that long names multiply the work.
pub(super) const LONGEST_NAME: usize = 512;

/// A message with its definition.
pub(super) struct DefinedMessage<'f> {
    /// Index of its file.
    pub(super) file: usize,
    /// The full name.
    pub(super) name: String,
    pub(super) proto: &'f DescriptorProto,
    pub(super) is_proto3: bool,
    pub(super) is_synthetic: bool,
    pub(super) nested: Vec<MessageId>,
}

#[derive(Clone, Copy)]
pub(super) enum TypeId {
    Message(MessageId),
    Enum(EnumId),
}

pub(super) struct Definition {
    pub(super) file: usize,
    pub(super) type_id: TypeId,
}

/// All types of all files.
#[derive(Default)]
pub(super) struct Types<'f> {
    pub(super) messages: Vec<DefinedMessage<'f>>,
    pub(super) enums: Vec<&'f EnumDescriptorProto>,
    /// The top-level messages of the first file.
    pub(super) top: Vec<MessageId>,
    /// By full name. Two versions of a file may define one name, for different importing files.
    pub(super) names: HashMap<String, Vec<Definition>>,
}

/// The scope of a definition.
#[derive(Clone, Copy)]
struct Scope<'n> {
    file: usize,
    name: &'n str,
    is_proto3: bool,
    /// Whether the file is text, with `map<…>` and `group` instead of their messages.
    is_text: bool,
}

impl<'f> Types<'f> {
    pub(super) fn collect_file(
        &mut self,
        file: usize,
        source: &'f ProtoFile,
    ) -> Result<(), String> {
        let scope = Scope {
            file,
            name: source.descriptor.package(),
            is_proto3: source.descriptor.syntax() == "proto3",
            is_text: source.is_text,
        };
        for message in &source.descriptor.message_type {
            let id = self.collect_message(scope, message, false)?;
            if file == 0 {
                self.top.push(id);
            }
        }
        source
            .descriptor
            .enum_type
            .iter()
            .try_for_each(|proto| self.collect_enum(scope, proto))
    }

    /// Recursion is bounded by the nesting of messages, 100 levels.
    fn collect_message(
        &mut self,
        scope: Scope<'_>,
        proto: &'f DescriptorProto,
        is_synthetic: bool,
    ) -> Result<MessageId, String> {
        let id = self.messages.len();
        let name = self.define(scope, proto.name(), TypeId::Message(id))?;
        self.messages.push(DefinedMessage {
            file: scope.file,
            name: name.clone(),
            proto,
            is_proto3: scope.is_proto3,
            is_synthetic,
            nested: Vec::new(),
        });
        let inner = Scope {
            name: &name,
            ..scope
        };
        let groups: HashSet<&str> = proto
            .field
            .iter()
            .filter(|field| field.r#type() == Type::Group)
            .map(|field| field.type_name())
            .collect();
        let mut nested = Vec::new();
        for message in &proto.nested_type {
            let is_synthetic =
                scope.is_text && (is_implied_entry(message) || groups.contains(message.name()));
            nested.push(self.collect_message(inner, message, is_synthetic)?);
        }
        let defined = self.messages.get_mut(id);
        defined.expect("the message was pushed").nested = nested;
        proto
            .enum_type
            .iter()
            .try_for_each(|proto| self.collect_enum(inner, proto))?;
        Ok(id)
    }

    fn collect_enum(
        &mut self,
        scope: Scope<'_>,
        proto: &'f EnumDescriptorProto,
    ) -> Result<(), String> {
        self.define(scope, proto.name(), TypeId::Enum(self.enums.len()))?;
        self.enums.push(proto);
        Ok(())
    }

    /// The full name.
    fn define(&mut self, scope: Scope<'_>, name: &str, type_id: TypeId) -> Result<String, String> {
        let full = match scope.name {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        if full.len() > LONGEST_NAME {
            let full = cut(&full, 60);
            return Err(format!(
                "the name {full} has more than {LONGEST_NAME} bytes"
            ));
        }
        let definitions = self.names.entry(full.clone()).or_default();
        if definitions.iter().any(|found| found.file == scope.file) {
            return Err(format!("{full} is defined twice"));
        }
        definitions.push(Definition {
            file: scope.file,
            type_id,
        });
        Ok(full)
    }
}

pub(super) fn is_entry(message: &DescriptorProto) -> bool {
    let options = message.options.as_ref();
    options.is_some_and(|options| options.map_entry())
}

/// Whether the parser made it from a field `map<…>`. A registry that received a descriptor writes entries explicitly, with
/// their option.
fn is_implied_entry(message: &DescriptorProto) -> bool {
    let options = message.options.as_ref();
    options.is_some_and(|options| options.map_entry() && options.uninterpreted_option.is_empty())
}
