//! Resolves parsed .proto files to a [`ProtobufSchema`].
//!
//! Name resolution is our own: that of `prost-reflect` (0.16.5) recurses endlessly through public imports of a file that imports
//! itself, and misses the public imports of a public import.

use std::collections::HashSet;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{EnumDescriptorProto, FieldDescriptorProto};

use super::default;
use super::files::ProtoFile;
use super::schema::{
    Absent, Cardinality, DefaultValue, Enum, FieldKind, Message, MessageField, ProtobufSchema,
    Scalar,
};
use super::special;
use super::types::{DefinedMessage, Definition, LONGEST_NAME, TypeId, Types, is_entry};
use connect_api::text::cut;

/// Protobuf's own limit of field numbers.
const LARGEST_NUMBER: u32 = (1 << 29) - 1;

pub(super) fn resolve(files: &[ProtoFile]) -> Result<ProtobufSchema, String> {
    let mut types = Types::default();
    for (index, file) in files.iter().enumerate() {
        types.collect_file(index, file)?;
    }
    let visible: Vec<HashSet<usize>> = (0..files.len())
        .map(|file| visible_from(files, file))
        .collect();
    let resolver = Resolver {
        files,
        types: &types,
        visible,
    };
    let messages: Result<Vec<Message>, String> = types
        .messages
        .iter()
        .map(|defined| resolver.message(defined))
        .collect();
    let enums = types.enums.iter().map(|defined| enumeration(defined));
    let enums: Result<Vec<Enum>, String> = enums.collect();
    if types.top.is_empty() {
        return Err("its file defines no message".to_owned());
    }
    Ok(ProtobufSchema::new(messages?, enums?, &types.top))
}

/// The files whose types `file` sees: itself, its imports, and their public imports. Imports may be circular.
fn visible_from(files: &[ProtoFile], file: usize) -> HashSet<usize> {
    let mut visible = HashSet::from([file]);
    let mut open: Vec<usize> = Vec::new();
    let imports_of = |file: usize| files.get(file).into_iter().flat_map(|file| &file.imports);
    open.extend(imports_of(file).map(|import| import.file));
    while let Some(next) = open.pop() {
        if visible.insert(next) {
            let public = imports_of(next).filter(|import| import.is_public);
            open.extend(public.map(|import| import.file));
        }
    }
    visible
}

struct Resolver<'f> {
    files: &'f [ProtoFile],
    types: &'f Types<'f>,
    /// For each file, the files whose types it sees.
    visible: Vec<HashSet<usize>>,
}

impl Resolver<'_> {
    fn message(&self, defined: &DefinedMessage<'_>) -> Result<Message, String> {
        let fields = defined.proto.field.iter();
        let fields: Result<Vec<MessageField>, String> = fields
            .map(|field| {
                self.field(defined, field)
                    .map_err(|reason| format!("{}.{}: {reason}", defined.name, field.name()))
            })
            .collect();
        let fields = fields?;
        let mut by_number: Vec<usize> = (0..fields.len()).collect();
        let number_of = |index: &usize| fields.get(*index).map(|field| field.number);
        by_number.sort_by_key(number_of);
        if let Some([first, _]) = by_number
            .array_windows()
            .find(|[left, right]| number_of(left) == number_of(right))
        {
            let number = number_of(first).unwrap_or_default();
            return Err(format!(
                "{}: two fields have the number {number}",
                defined.name
            ));
        }
        let mut names = HashSet::new();
        if let Some(twice) = fields.iter().find(|field| !names.insert(&*field.name)) {
            return Err(format!(
                "{}: two fields are called {}",
                defined.name, twice.name
            ));
        }
        Ok(Message {
            form: special::form_of(&defined.name, &fields),
            name: defined.name.as_str().into(),
            by_number: by_number.into(),
            fields: fields.into(),
            oneofs: defined.proto.oneof_decl.len(),
            nested: defined.nested.as_slice().into(),
            is_synthetic: defined.is_synthetic,
        })
    }

    fn field(
        &self,
        defined: &DefinedMessage<'_>,
        field: &FieldDescriptorProto,
    ) -> Result<MessageField, String> {
        let kind = self.kind(defined, field)?;
        let number = u32::try_from(field.number()).unwrap_or(0);
        if !(1..=LARGEST_NUMBER).contains(&number) {
            return Err(format!("the number {} is out of range", field.number()));
        }
        let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
        let oneof = oneof.and_then(|index| usize::try_from(index).ok());
        if oneof.is_some_and(|index| index >= defined.proto.oneof_decl.len()) {
            return Err("its oneof does not exist".to_owned());
        }
        let is_message = matches!(kind, FieldKind::Message(_) | FieldKind::Group(_));
        let has_presence = is_message
            || field.oneof_index.is_some()
            || !(defined.is_proto3 || is_entry(defined.proto));
        Ok(MessageField {
            name: field.name().into(),
            number,
            cardinality: self.cardinality(defined, field, kind, has_presence)?,
            kind,
            oneof,
            has_presence,
        })
    }

    fn cardinality(
        &self,
        defined: &DefinedMessage<'_>,
        field: &FieldDescriptorProto,
        kind: FieldKind,
        has_presence: bool,
    ) -> Result<Cardinality, String> {
        Ok(match field.label() {
            Label::Repeated if self.is_map(kind)? => Cardinality::Map,
            Label::Repeated => {
                let written = field.options.as_ref().and_then(|options| options.packed);
                Cardinality::Repeated {
                    packed: written.unwrap_or(defined.is_proto3) && is_packable(kind),
                }
            }
            Label::Required => Cardinality::Singular(Absent::Required),
            Label::Optional => Cardinality::Singular(match (&field.default_value, has_presence) {
                (Some(text), _) => Absent::Default(self.declared_default(kind, text)?),
                (None, true) => Absent::Null,
                (None, false) => Absent::Default(implied_default(kind)),
            }),
        })
    }

    fn declared_default(&self, kind: FieldKind, text: &str) -> Result<DefaultValue, String> {
        let default = match kind {
            FieldKind::Scalar(scalar) => default::of_scalar(scalar, text),
            FieldKind::Enum(id) => {
                let values = self.types.enums.get(id).map(|proto| &proto.value);
                let value =
                    values.and_then(|values| values.iter().find(|value| value.name() == text));
                value.map(|value| default::of_enum(value.number()))
            }
            FieldKind::Message(_) | FieldKind::Group(_) => None,
        };
        default.ok_or_else(|| format!("{} is not a valid default of its type", cut(text, 60)))
    }

    /// Whether the kind is a map's entry: a scalar key and a value.
    fn is_map(&self, kind: FieldKind) -> Result<bool, String> {
        let FieldKind::Message(id) = kind else {
            return Ok(false);
        };
        let entry = self.types.messages.get(id).map(|defined| defined.proto);
        let Some(entry) = entry.filter(|entry| is_entry(entry)) else {
            return Ok(false);
        };
        let is_key = |key: &FieldDescriptorProto| {
            let fits = !matches!(
                key.r#type(),
                Type::Double | Type::Float | Type::Bytes | Type::Enum | Type::Message | Type::Group
            );
            key.number() == 1 && key.label() != Label::Repeated && fits && key.type_name.is_none()
        };
        match entry.field.as_slice() {
            [key, value]
                if is_key(key) && value.number() == 2 && value.label() != Label::Repeated =>
            {
                Ok(true)
            }
            _ => Err("its map entry does not consist of a key and a value".to_owned()),
        }
    }

    fn kind(
        &self,
        defined: &DefinedMessage<'_>,
        field: &FieldDescriptorProto,
    ) -> Result<FieldKind, String> {
        if let Some(name) = &field.type_name {
            let is_group = field.r#type() == Type::Group && field.r#type.is_some();
            return match self.find(defined, name)? {
                TypeId::Message(id) if is_group => Ok(FieldKind::Group(id)),
                TypeId::Message(id) => Ok(FieldKind::Message(id)),
                TypeId::Enum(id) => Ok(FieldKind::Enum(id)),
            };
        }
        Ok(FieldKind::Scalar(match field.r#type() {
            Type::Double => Scalar::Double,
            Type::Float => Scalar::Float,
            Type::Int32 => Scalar::Int32,
            Type::Int64 => Scalar::Int64,
            Type::Uint32 => Scalar::Uint32,
            Type::Uint64 => Scalar::Uint64,
            Type::Sint32 => Scalar::Sint32,
            Type::Sint64 => Scalar::Sint64,
            Type::Fixed32 => Scalar::Fixed32,
            Type::Fixed64 => Scalar::Fixed64,
            Type::Sfixed32 => Scalar::Sfixed32,
            Type::Sfixed64 => Scalar::Sfixed64,
            Type::Bool => Scalar::Bool,
            Type::String => Scalar::String,
            Type::Bytes => Scalar::Bytes,
            Type::Enum | Type::Message | Type::Group => return Err("it has no type".to_owned()),
        }))
    }

    /// Resolves a type name in the scope of the message, then in the enclosing scopes.
    fn find(&self, defined: &DefinedMessage<'_>, name: &str) -> Result<TypeId, String> {
        let shown_name = cut(name, 60);
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "the name {shown_name} has more than {LONGEST_NAME} bytes"
            ));
        }
        if let Some(full) = name.strip_prefix('.') {
            if let Some(type_id) = self.find_full(defined.file, full)? {
                return Ok(type_id);
            }
        } else {
            let mut scope = defined.name.as_str();
            loop {
                if let Some(type_id) = self.find_full(defined.file, &format!("{scope}.{name}"))? {
                    return Ok(type_id);
                }
                match scope.rsplit_once('.') {
                    Some((outer, _)) => scope = outer,
                    None => break,
                }
            }
            if let Some(type_id) = self.find_full(defined.file, name)? {
                return Ok(type_id);
            }
        }
        let file = self.files.get(defined.file);
        let missing = file.map(|file| file.missing.join(", ")).unwrap_or_default();
        let help = if missing.is_empty() {
            String::new()
        } else {
            format!(", and no reference resolves {}", cut(&missing, 200))
        };
        Err(format!("the type {shown_name} is unknown{help}"))
    }

    fn find_full(&self, file: usize, full: &str) -> Result<Option<TypeId>, String> {
        let definitions = self.types.names.get(full).map_or(&[][..], Vec::as_slice);
        let visible = self.visible.get(file);
        let is_visible =
            |found: &&Definition| visible.is_some_and(|visible| visible.contains(&found.file));
        let mut found = definitions.iter().filter(is_visible);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(format!("{full} is defined in two of its files")),
            (first, _) => Ok(first.map(|found| found.type_id)),
        }
    }
}

fn implied_default(kind: FieldKind) -> DefaultValue {
    match kind {
        FieldKind::Scalar(Scalar::String | Scalar::Bytes) => DefaultValue::Bytes(Box::default()),
        _ => DefaultValue::Bits(0),
    }
}

fn is_packable(kind: FieldKind) -> bool {
    match kind {
        FieldKind::Scalar(scalar) => !matches!(scalar, Scalar::String | Scalar::Bytes),
        FieldKind::Enum(_) => true,
        FieldKind::Message(_) | FieldKind::Group(_) => false,
    }
}

fn enumeration(proto: &EnumDescriptorProto) -> Result<Enum, String> {
    let values = proto.value.iter();
    let values = values.map(|value| (value.name().into(), value.number()));
    let values: Vec<(Box<str>, i32)> = values.collect();
    if values.is_empty() {
        return Err(format!("the enum {} has no values", proto.name()));
    }
    Ok(Enum::new(values))
}
