//! Encodes a value in protobuf's binary encoding. A value that the encoding would alter is refused.

mod scalar;

use connect_api::{Kind, ValueRef};

use super::MAX_DEPTH;
use super::schema::{
    Absent, Cardinality, EnumId, FieldKind, Message, MessageField, MessageForm, MessageId,
    ProtobufSchema, Scalar,
};
use super::special;
use super::wire::{WireType, write_end_of_group, write_tag};
use crate::decimal::MAX_DIGITS;
use crate::exact;
use crate::fault::ValueFault;
use crate::formats::binary::write_varint;
use crate::trail::{Mismatch, TrailStep};
use connect_api::text::cut;
use scalar::EncodedScalar;

pub(super) fn from_value(
    schema: &ProtobufSchema,
    id: MessageId,
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let mut writer = Writer {
        schema,
        out,
        depth: 0,
    };
    writer.message(id, value).map_err(Mismatch::fault)
}

struct Writer<'a> {
    schema: &'a ProtobufSchema,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Writer<'a> {
    /// The message's fields, without its length.
    fn message(&mut self, id: MessageId, value: ValueRef<'_>) -> Result<(), Mismatch> {
        self.deeper(value)?;
        let message = self.schema.message(id);
        match message.form {
            MessageForm::Object => self.object(message, value)?,
            MessageForm::Wrapper | MessageForm::Struct | MessageForm::ListValue => {
                self.field(message.field(0), value)?
            }
            MessageForm::Value => self.json(message, value)?,
            MessageForm::Timestamp
            | MessageForm::Duration
            | MessageForm::Date
            | MessageForm::TimeOfDay => {
                self.time(message, value)?;
            }
            MessageForm::Decimal => self.decimal(message, value)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn deeper(&mut self, value: ValueRef<'_>) -> Result<(), Mismatch> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let expected = format!("messages nested at most {MAX_DEPTH} deep");
            return Err(Mismatch::new(value, expected));
        }
        Ok(())
    }

    /// Fields in the order of their numbers, as other serializers write them.
    fn object(&mut self, message: &'a Message, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let members = value.members();
        let members = members.ok_or_else(|| Mismatch::new(value, expected_form(message)))?;
        let mut chosen: Vec<Option<&str>> = vec![None; message.oneofs];
        let mut known = 0;
        for index in &message.by_number {
            let field = message.field(*index);
            let found = value.get(&field.name);
            known += usize::from(found.is_some());
            self.member(field, found, &mut chosen)
                .map_err(|mismatch| mismatch.under(|| TrailStep::Member(field.name.to_string())))?;
        }
        if known == members.len() {
            return Ok(());
        }
        // A member without a field would be lost silently.
        let mut members = members;
        let is_known = |name: &str| message.fields.iter().any(|field| &*field.name == name);
        match members.find(|(name, _)| !is_known(name)) {
            Some((name, found)) => {
                let expected =
                    format!("no such member: {} has no field of this name", message.name);
                Err(Mismatch::new(found, expected).under(|| TrailStep::Member(name.to_owned())))
            }
            None => Ok(()),
        }
    }

    /// `chosen` contains the member that is set, for each oneof.
    fn member(
        &mut self,
        field: &'a MessageField,
        found: Option<ValueRef<'_>>,
        chosen: &mut [Option<&'a str>],
    ) -> Result<(), Mismatch> {
        let value = match (found, &field.cardinality) {
            (Some(value), _) if !value.is_null() => value,
            // Null leaves the field unset, if a reader can distinguish that from every value.
            (Some(_), Cardinality::Singular(Absent::Null)) => return Ok(()),
            (Some(null), _) => return Err(Mismatch::new(null, self.expected(field))),
            (None, Cardinality::Singular(Absent::Required)) => {
                return Err(Mismatch::missing(self.expected(field)));
            }
            (None, _) => return Ok(()),
        };
        if let Some(other) = field.oneof.and_then(|oneof| chosen.get_mut(oneof)) {
            if let Some(other) = other {
                let expected = format!("null, because {other} of the same oneof is set");
                return Err(Mismatch::new(value, expected));
            }
            *other = Some(&field.name);
        }
        self.field(field, value)
    }

    /// Writes a field that is set, with its tag.
    fn field(&mut self, field: &'a MessageField, value: ValueRef<'_>) -> Result<(), Mismatch> {
        match &field.cardinality {
            Cardinality::Singular(_) => {
                self.tagged(field.number, field.kind, value, field.has_presence)
            }
            Cardinality::Repeated { packed } => {
                let elements = value.elements();
                let elements =
                    elements.ok_or_else(|| Mismatch::new(value, self.expected(field)))?;
                if *packed && elements.len() > 0 {
                    write_tag(self.out, field.number, WireType::Sized);
                    return self.sized(|writer| {
                        elements.enumerate().try_for_each(|(index, element)| {
                            let encoded = writer.encoded(field.kind, element);
                            let encoded = encoded
                                .map_err(|mismatch| mismatch.under(|| TrailStep::Index(index)))?;
                            encoded.write(writer.out);
                            Ok(())
                        })
                    });
                }
                elements.enumerate().try_for_each(|(index, element)| {
                    self.tagged(field.number, field.kind, element, true)
                        .map_err(|mismatch| mismatch.under(|| TrailStep::Index(index)))
                })
            }
            Cardinality::Map => {
                let members = value.members();
                let mut members =
                    members.ok_or_else(|| Mismatch::new(value, self.expected(field)))?;
                let FieldKind::Message(entry) = field.kind else {
                    unreachable!("the resolver makes a map's kind a message");
                };
                let entry = self.schema.message(entry);
                members.try_for_each(|(name, member)| {
                    write_tag(self.out, field.number, WireType::Sized);
                    self.sized(|writer| writer.entry(entry, name, member))
                        .map_err(|mismatch| mismatch.under(|| TrailStep::Member(name.to_owned())))
                })
            }
        }
    }

    /// Writes the message of a map's entry; key and value are written even if they are defaults.
    fn entry(
        &mut self,
        entry: &'a Message,
        name: &str,
        member: ValueRef<'_>,
    ) -> Result<(), Mismatch> {
        self.deeper(member)?;
        let (key, value) = (entry.field(0), entry.field(1));
        let FieldKind::Scalar(scalar) = key.kind else {
            unreachable!("the resolver makes a map's key a scalar");
        };
        let encoded = EncodedScalar::of_key(scalar, name);
        let encoded = encoded.ok_or_else(|| {
            let expected = format!("a name that is {}", expected_of(scalar));
            Mismatch::new(member, expected)
        })?;
        write_tag(self.out, key.number, WireType::of(key.kind));
        encoded.write(self.out);
        self.tagged(value.number, value.kind, member, true)?;
        self.depth -= 1;
        Ok(())
    }

    /// Writes a value with its tag. A zero is omitted unless `always`, because an absent field without presence is zero.
    fn tagged(
        &mut self,
        number: u32,
        kind: FieldKind,
        value: ValueRef<'_>,
        always: bool,
    ) -> Result<(), Mismatch> {
        match kind {
            FieldKind::Message(id) => {
                write_tag(self.out, number, WireType::Sized);
                self.sized(|writer| writer.message(id, value))
            }
            FieldKind::Group(id) => {
                write_tag(self.out, number, WireType::Group);
                self.message(id, value)?;
                write_end_of_group(self.out, number);
                Ok(())
            }
            FieldKind::Scalar(_) | FieldKind::Enum(_) => {
                let encoded = self.encoded(kind, value)?;
                if always || !encoded.is_zero() {
                    write_tag(self.out, number, WireType::of(kind));
                    encoded.write(self.out);
                }
                Ok(())
            }
        }
    }

    /// Writes a length and then what `write` appends.
    fn sized(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        let start = self.out.len();
        write(self)?;
        let mut length = Vec::with_capacity(10);
        write_varint(&mut length, (self.out.len() - start) as u64);
        self.out.splice(start..start, length);
        Ok(())
    }

    fn encoded<'v>(
        &self,
        kind: FieldKind,
        value: ValueRef<'v>,
    ) -> Result<EncodedScalar<'v>, Mismatch> {
        let encoded = match kind {
            FieldKind::Scalar(scalar) => EncodedScalar::of(scalar, value),
            FieldKind::Enum(id) => self.symbol(id, value),
            FieldKind::Message(_) | FieldKind::Group(_) => None,
        };
        encoded.ok_or_else(|| Mismatch::new(value, self.expected_kind(kind)))
    }

    /// By name, or by number, because a value without a name is decoded as its number.
    fn symbol<'v>(&self, id: EnumId, value: ValueRef<'v>) -> Option<EncodedScalar<'v>> {
        let number = match value.as_str() {
            Some(name) => self.schema.enumeration(id).number_of(name)?,
            None => exact::whole::<i32>(value)?,
        };
        Some(EncodedScalar::Varint(i64::from(number) as u64))
    }

    fn json(&mut self, message: &'a Message, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let kind = match value.kind() {
            Kind::Null => {
                write_tag(self.out, message.field(0).number, WireType::Varint);
                write_varint(self.out, 0);
                return Ok(());
            }
            Kind::Number(_) => 1,
            Kind::String(_) => 2,
            Kind::Bool(_) => 3,
            Kind::Object(_) => 4,
            Kind::Array(_) => 5,
            Kind::Bytes(_) => return Err(Mismatch::new(value, "a value of JSON")),
        };
        self.field(message.field(kind), value)
    }

    fn time(&mut self, message: &Message, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let text = value.as_str();
        let parts: Option<Vec<i64>> = match message.form {
            MessageForm::Timestamp => match text {
                Some(text) => special::timestamp_of(text),
                None => exact::whole(value).and_then(special::timestamp_of_milliseconds),
            }
            .map(|(seconds, nanoseconds)| vec![seconds, nanoseconds.into()]),
            MessageForm::Duration => text
                .and_then(special::duration_of)
                .map(|(seconds, nanoseconds)| vec![seconds, nanoseconds.into()]),
            MessageForm::Date => text
                .and_then(special::date_of)
                .map(|(year, month, day)| vec![year.into(), month.into(), day.into()]),
            _ => text
                .and_then(special::time_of_day_of)
                .map(|parts| parts.map(i64::from).to_vec()),
        };
        let parts = parts.ok_or_else(|| Mismatch::new(value, expected_form(message)))?;
        for (field, part) in message.fields.iter().zip(parts) {
            if part != 0 {
                write_tag(self.out, field.number, WireType::Varint);
                write_varint(self.out, part as u64);
            }
        }
        Ok(())
    }

    /// The scale is the number of digits after the point.
    fn decimal(&mut self, message: &Message, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let mismatch = || Mismatch::new(value, expected_form(message));
        let number = exact::digits(value).ok_or_else(mismatch)?;
        let scale = i64::try_from(number.fraction_digits()).ok();
        let scale = scale.filter(|scale| *scale <= MAX_DIGITS as i64);
        let unscaled = scale.and_then(|scale| Some((number.unscaled(scale)?, scale)));
        let (unscaled, scale) = unscaled.ok_or_else(mismatch)?;
        let precision = unscaled.magnitude().to_string().len();
        let bytes = unscaled.to_signed_bytes_be();
        write_tag(self.out, message.field(0).number, WireType::Sized);
        write_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(&bytes);
        for (field, number) in [(1, precision as u64), (2, scale as u64)] {
            if number != 0 {
                write_tag(self.out, message.field(field).number, WireType::Varint);
                write_varint(self.out, number);
            }
        }
        Ok(())
    }

    /// What messages say is expected for a field.
    fn expected(&self, field: &MessageField) -> String {
        match field.cardinality {
            Cardinality::Map => "an object (map)".to_owned(),
            Cardinality::Repeated { .. } => "an array (repeated)".to_owned(),
            Cardinality::Singular(Absent::Default(_)) => format!(
                "{}; only an `optional` field without a default can be null",
                self.expected_kind(field.kind)
            ),
            Cardinality::Singular(_) => self.expected_kind(field.kind),
        }
    }

    fn expected_kind(&self, kind: FieldKind) -> String {
        match kind {
            FieldKind::Scalar(scalar) => expected_of(scalar).to_owned(),
            FieldKind::Enum(id) => {
                let names = self.schema.enumeration(id).names().join(", ");
                format!("one of {} (enum)", cut(&names, 100))
            }
            FieldKind::Message(id) | FieldKind::Group(id) => expected_form(self.schema.message(id)),
        }
    }
}

fn expected_form(message: &Message) -> String {
    match message.form {
        MessageForm::Object => format!("an object ({})", message.name),
        MessageForm::Timestamp => {
            "a time of the years 1 to 9999 such as 2026-11-20T20:15:00Z".to_owned()
        }
        MessageForm::Duration => "a duration in seconds such as 1.5s".to_owned(),
        MessageForm::Date => "a date such as 2026-11-20".to_owned(),
        MessageForm::TimeOfDay => "a time of day such as 20:15:00".to_owned(),
        MessageForm::Decimal => "a number".to_owned(),
        MessageForm::Wrapper => format!("the value of a {}", message.name),
        MessageForm::Struct => "an object of JSON".to_owned(),
        MessageForm::Value => "a value of JSON".to_owned(),
        MessageForm::ListValue => "an array of JSON".to_owned(),
    }
}

fn expected_of(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Double => "a number that a double keeps",
        Scalar::Float => "a number that a float keeps",
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => "an integer of 32 bits",
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => "an integer of 64 bits",
        Scalar::Uint32 | Scalar::Fixed32 => "an unsigned integer of 32 bits",
        Scalar::Uint64 | Scalar::Fixed64 => "an unsigned integer of 64 bits",
        Scalar::Bool => "a boolean",
        Scalar::String => "a string",
        Scalar::Bytes => "bytes or base64 text (bytes)",
    }
}
