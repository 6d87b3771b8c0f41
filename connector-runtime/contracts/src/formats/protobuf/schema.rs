//! A compiled protobuf schema: names, presence and defaults are resolved, types refer to each other by id.

use std::collections::HashMap;

/// Index into [`ProtobufSchema`].
pub(super) type MessageId = usize;
pub(super) type EnumId = usize;

/// A type without inner values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    Scalar(Scalar),
    Enum(EnumId),
    Message(MessageId),
    /// A message between two tags instead of after its length.
    Group(MessageId),
}

/// How often a field may occur, and its value if it is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cardinality {
    Singular(Absent),
    Repeated {
        packed: bool,
    },
    /// The kind is a message of key and value.
    Map,
}

/// The value of a singular field that is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The field has presence: unset is distinct from every value.
    Null,
    /// An error, because the field is required.
    Required,
    /// The field has no presence, or declares a default.
    Default(DefaultValue),
}

/// A default in the form of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DefaultValue {
    /// A varint or the bits of a fixed number, by the field's type.
    Bits(u64),
    Bytes(Box<[u8]>),
}

#[derive(Debug)]
pub(super) struct MessageField {
    /// As in the .proto file.
    pub(super) name: Box<str>,
    pub(super) number: u32,
    pub(super) kind: FieldKind,
    pub(super) cardinality: Cardinality,
    /// Index among the message's oneofs.
    pub(super) oneof: Option<usize>,
    /// Whether unset is distinct from every value.
    pub(super) has_presence: bool,
}

/// The form of the value that a message becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageForm {
    /// An object of its fields.
    Object,
    Timestamp,
    Duration,
    Date,
    TimeOfDay,
    Decimal,
    /// The value of its only field.
    Wrapper,
    Struct,
    Value,
    ListValue,
}

#[derive(Debug)]
pub(super) struct Message {
    /// The full name.
    pub(super) name: Box<str>,
    pub(super) form: MessageForm,
    /// In the order of the .proto file.
    pub(super) fields: Box<[MessageField]>,
    /// Indexes of `fields` in the order of their numbers.
    pub(super) by_number: Box<[usize]>,
    pub(super) oneofs: usize,
    pub(super) nested: Box<[MessageId]>,
    /// A map's entry or a group, which is a nested message in descriptors and not in .proto files.
    pub(super) is_synthetic: bool,
}

impl Message {
    /// Index of the field with this number.
    pub(super) fn index_of(&self, number: u32) -> Option<usize> {
        let number_at = |index: &usize| self.fields.get(*index).map_or(0, |field| field.number);
        let position = self.by_number.binary_search_by_key(&number, number_at);
        self.by_number.get(position.ok()?).copied()
    }

    pub(super) fn field(&self, index: usize) -> &MessageField {
        self.fields
            .get(index)
            .expect("indexes of fields come from the message")
    }
}

#[derive(Debug)]
pub(super) struct Enum {
    names: Box<[Box<str>]>,
    /// The index of each number's first name.
    by_number: HashMap<i32, usize>,
    by_name: HashMap<Box<str>, i32>,
}

impl Enum {
    /// In the order of the .proto file.
    pub(super) fn new(values: Vec<(Box<str>, i32)>) -> Enum {
        let mut by_number = HashMap::new();
        for (index, (_, number)) in values.iter().enumerate() {
            by_number.entry(*number).or_insert(index);
        }
        Enum {
            names: values.iter().map(|(name, _)| name.clone()).collect(),
            by_number,
            by_name: values.into_iter().collect(),
        }
    }

    /// The first name of a number.
    pub(super) fn name_of(&self, number: i32) -> Option<&str> {
        let index = self.by_number.get(&number)?;
        self.names.get(*index).map(|name| &**name)
    }

    pub(super) fn number_of(&self, name: &str) -> Option<i32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(|name| &**name).collect()
    }
}

/// All types of a schema.
#[derive(Debug)]
pub(super) struct ProtobufSchema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    /// The top-level messages of the schema's own file; at least one.
    pub(super) top: Box<[MessageId]>,
}

impl ProtobufSchema {
    /// Every id is an index of `messages` or `enums`.
    pub(super) fn new(
        messages: Vec<Message>,
        enums: Vec<Enum>,
        top: &[MessageId],
    ) -> ProtobufSchema {
        ProtobufSchema {
            messages,
            enums,
            top: top.into(),
        }
    }

    pub(super) fn message(&self, id: MessageId) -> &Message {
        self.messages
            .get(id)
            .expect("ids of messages come from the resolver")
    }

    pub(super) fn enumeration(&self, id: EnumId) -> &Enum {
        self.enums
            .get(id)
            .expect("ids of enums come from the resolver")
    }

    /// The first message of the file, which encoding writes.
    pub(super) fn first(&self) -> MessageId {
        *self
            .top
            .first()
            .expect("the resolver refuses a file without a message")
    }
}
