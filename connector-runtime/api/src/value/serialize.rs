//! From anything that serializes to [`Value`]: `serde`'s data model as events of a [`ValueBuilder`], in the forms that
//! `serde_json` gives it. Byte strings stay bytes.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{BuildError, Value, ValueBuilder, ValueLimits};

/// The name under which `serde_json` hands over a number as its digits.
const DIGITS: &str = "$serde_json::private::Number";

impl Value {
    /// Any serializable value, for example a source's own struct. Numbers that are not finite become the words of
    /// [`ValueBuilder::double`].
    pub fn from_serialize<T: Serialize>(value: &T) -> Result<Value, BuildError> {
        let mut builder = ValueBuilder::new(ValueLimits::default());
        value.serialize(&mut builder)?;
        Ok(builder.finish())
    }
}

impl serde::ser::Error for BuildError {
    fn custom<T: Display>(message: T) -> Self {
        BuildError::new(message.to_string())
    }
}

/// An array or object that is being serialized.
pub struct Compound<'b> {
    builder: &'b mut ValueBuilder,
    /// A variant's content is the only member of an object of its own.
    is_variant: bool,
    /// The struct represents a number: its only field holds the digits.
    is_digits: bool,
}

impl<'b> Compound<'b> {
    fn array(builder: &'b mut ValueBuilder) -> Result<Compound<'b>, BuildError> {
        builder.begin_array()?;
        Ok(Compound {
            builder,
            is_variant: false,
            is_digits: false,
        })
    }

    fn object(builder: &'b mut ValueBuilder) -> Result<Compound<'b>, BuildError> {
        builder.begin_object()?;
        Ok(Compound {
            builder,
            is_variant: false,
            is_digits: false,
        })
    }

    fn in_variant(self) -> Compound<'b> {
        Compound {
            is_variant: true,
            ..self
        }
    }

    fn close(self) -> Result<(), BuildError> {
        if self.is_digits {
            return Ok(());
        }
        self.builder.end()?;
        if self.is_variant {
            self.builder.end()?;
        }
        Ok(())
    }
}

impl ValueBuilder {
    fn begin_variant(&mut self, variant: &str) -> Result<&mut Self, BuildError> {
        self.begin_object()?;
        self.key(variant)?;
        Ok(self)
    }
}

impl<'b> Serializer for &'b mut ValueBuilder {
    type Ok = ();
    type Error = BuildError;
    type SerializeSeq = Compound<'b>;
    type SerializeTuple = Compound<'b>;
    type SerializeTupleStruct = Compound<'b>;
    type SerializeTupleVariant = Compound<'b>;
    type SerializeMap = Compound<'b>;
    type SerializeStruct = Compound<'b>;
    type SerializeStructVariant = Compound<'b>;

    fn serialize_bool(self, value: bool) -> Result<(), BuildError> {
        self.boolean(value)
    }

    fn serialize_i8(self, value: i8) -> Result<(), BuildError> {
        self.integer(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), BuildError> {
        self.integer(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), BuildError> {
        self.integer(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), BuildError> {
        self.integer(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), BuildError> {
        self.number(&value.to_string())
    }

    fn serialize_u8(self, value: u8) -> Result<(), BuildError> {
        self.unsigned(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), BuildError> {
        self.unsigned(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), BuildError> {
        self.unsigned(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), BuildError> {
        self.unsigned(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), BuildError> {
        self.number(&value.to_string())
    }

    fn serialize_f32(self, value: f32) -> Result<(), BuildError> {
        self.float(value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), BuildError> {
        self.double(value)
    }

    fn serialize_char(self, value: char) -> Result<(), BuildError> {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), BuildError> {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), BuildError> {
        self.bytes(value)
    }

    fn serialize_none(self) -> Result<(), BuildError> {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), BuildError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), BuildError> {
        self.null()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), BuildError> {
        self.null()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), BuildError> {
        self.symbol(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), BuildError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), BuildError> {
        value.serialize(self.begin_variant(variant)?)?;
        self.end()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'b>, BuildError> {
        Compound::array(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'b>, BuildError> {
        Compound::array(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'b>, BuildError> {
        Compound::array(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'b>, BuildError> {
        Ok(Compound::array(self.begin_variant(variant)?)?.in_variant())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'b>, BuildError> {
        Compound::object(self)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'b>, BuildError> {
        if name == DIGITS {
            return Ok(Compound {
                builder: self,
                is_variant: false,
                is_digits: true,
            });
        }
        Compound::object(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'b>, BuildError> {
        Ok(Compound::object(self.begin_variant(variant)?)?.in_variant())
    }
}

/// Elements of a sequence in each of serde's words for it.
macro_rules! elements {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = BuildError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BuildError> {
                value.serialize(&mut *self.builder)
            }

            fn end(self) -> Result<(), BuildError> {
                self.close()
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Fields of a struct in each of serde's words for it.
macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for Compound<'_> {
            type Ok = ();
            type Error = BuildError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), BuildError> {
                if self.is_digits {
                    return self.builder.number(&text_of(value)?);
                }
                self.builder.key(name)?;
                value.serialize(&mut *self.builder)
            }

            fn end(self) -> Result<(), BuildError> {
                self.close()
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = BuildError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), BuildError> {
        self.builder.key(&text_of(key)?)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BuildError> {
        value.serialize(&mut *self.builder)
    }

    fn end(self) -> Result<(), BuildError> {
        self.close()
    }
}

/// A key as text: strings are, and numbers, booleans and unit variants become it.
fn text_of<T: Serialize + ?Sized>(key: &T) -> Result<String, BuildError> {
    use super::Kind;
    let mut builder = ValueBuilder::new(ValueLimits::default());
    key.serialize(&mut builder)?;
    let value = builder.finish();
    match value.root().kind() {
        Kind::String(text) => Ok(text.to_owned()),
        Kind::Number(_) | Kind::Bool(_) => Ok(value.to_json()),
        Kind::Null | Kind::Bytes(_) | Kind::Array(_) | Kind::Object(_) => {
            Err(BuildError::new(format!(
                "the key of a map is of type {} and not text",
                value.root().type_name()
            )))
        }
    }
}
