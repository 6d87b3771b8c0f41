//! Encodes a value in Avro's binary encoding. A value that the encoding would alter is refused.

mod primitive;
mod union;

use connect_api::ValueRef;

use super::MAX_DEPTH;
use super::schema::{AvroSchema, AvroType, AvroTypeId, RecordField};
use super::wire::{write_long, write_sized};
use crate::fault::ValueFault;
use crate::trail::{Mismatch, TrailStep};
use primitive::EncodedPrimitive;
use union::branch_for;

pub(super) fn from_value(
    schema: &AvroSchema,
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let mut writer = Writer {
        schema,
        out,
        depth: 0,
    };
    let written = writer.value(schema.root(), value);
    written.map_err(Mismatch::fault)
}

struct Writer<'a> {
    schema: &'a AvroSchema,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, id: AvroTypeId, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let avro_type = self.schema.get(id);
        match avro_type {
            AvroType::Array(_) | AvroType::Map(_) | AvroType::Union(_) | AvroType::Record(_) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    let expected = format!("values nested at most {MAX_DEPTH} deep");
                    return Err(Mismatch::new(value, expected));
                }
                self.nested(avro_type, value)?;
                self.depth -= 1;
                Ok(())
            }
            AvroType::Duration => self.duration(value),
            _ => match EncodedPrimitive::of(avro_type, value) {
                Some(encoded) => {
                    encoded.write(self.out);
                    Ok(())
                }
                None => Err(Mismatch::new(value, avro_type.expected())),
            },
        }
    }

    fn nested(&mut self, avro_type: &AvroType, value: ValueRef<'_>) -> Result<(), Mismatch> {
        match avro_type {
            AvroType::Array(element) => self.array(*element, value),
            AvroType::Map(member) => self.map(*member, value),
            AvroType::Union(branches) => self.union(branches, value),
            AvroType::Record(fields) => self.record(fields, value),
            _ => Ok(()),
        }
    }

    fn array(&mut self, element: AvroTypeId, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let elements = value.elements();
        let elements = elements.ok_or_else(|| Mismatch::new(value, "an array"))?;
        self.begin_block(elements.len());
        for (index, found) in elements.enumerate() {
            self.value(element, found)
                .map_err(|mismatch| mismatch.under(|| TrailStep::Index(index)))?;
        }
        self.end_blocks();
        Ok(())
    }

    fn map(&mut self, member: AvroTypeId, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let members = value.members();
        let members = members.ok_or_else(|| Mismatch::new(value, "an object"))?;
        self.begin_block(members.len());
        for (name, found) in members {
            write_sized(self.out, name.as_bytes());
            let step = || TrailStep::Member(name.to_owned());
            self.value(member, found)
                .map_err(|mismatch| mismatch.under(step))?;
        }
        self.end_blocks();
        Ok(())
    }

    /// Writes a block's count; an empty array or map has only the end.
    fn begin_block(&mut self, count: usize) {
        if count > 0 {
            write_long(self.out, count as i64);
        }
    }

    fn end_blocks(&mut self) {
        write_long(self.out, 0);
    }

    fn union(&mut self, branches: &[AvroTypeId], value: ValueRef<'_>) -> Result<(), Mismatch> {
        let chosen = branch_for(self.schema, branches, value);
        if let Some(index) = chosen
            && let Some(branch) = branches.get(index)
        {
            write_long(self.out, index as i64);
            return self.value(*branch, value);
        }
        let words: Vec<String> = branches
            .iter()
            .map(|branch| self.schema.get(*branch).expected())
            .collect();
        Err(Mismatch::new(value, words.join(" or ")))
    }

    fn record(&mut self, fields: &[RecordField], value: ValueRef<'_>) -> Result<(), Mismatch> {
        let members = value.members();
        let members = members.ok_or_else(|| Mismatch::new(value, "an object"))?;
        // A member without a field would be lost silently.
        let mut known = 0;
        for field in fields {
            let step = || TrailStep::Member(field.name.to_string());
            let written = match (value.get(&field.name), &field.default) {
                (Some(found), _) => {
                    known += 1;
                    self.value(field.type_id, found)
                }
                (None, Some(default)) => {
                    self.out.extend_from_slice(default);
                    Ok(())
                }
                (None, None) => self.absent(field.type_id),
            };
            written.map_err(|mismatch| mismatch.under(step))?;
        }
        if known == members.len() {
            return Ok(());
        }
        let mut members = members;
        let unknown = members.find(|(name, _)| !fields.iter().any(|field| &*field.name == *name));
        match unknown {
            Some((name, found)) => {
                Err(Mismatch::new(found, "no such field")
                    .under(|| TrailStep::Member(name.to_owned())))
            }
            None => Ok(()),
        }
    }

    /// A field that the value lacks: null if its type allows null.
    fn absent(&mut self, id: AvroTypeId) -> Result<(), Mismatch> {
        let null = match self.schema.get(id) {
            AvroType::Null => return Ok(()),
            AvroType::Union(branches) => branches
                .iter()
                .position(|branch| matches!(self.schema.get(*branch), AvroType::Null)),
            _ => None,
        };
        match null {
            Some(index) => {
                write_long(self.out, index as i64);
                Ok(())
            }
            None => Err(Mismatch::missing(self.schema.get(id).expected())),
        }
    }

    fn duration(&mut self, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let mismatch = || Mismatch::new(value, AvroType::Duration.expected());
        if value.members().is_none_or(|members| members.len() != 3) {
            return Err(mismatch());
        }
        for name in ["months", "days", "milliseconds"] {
            let number = value.get(name).and_then(|part| part.as_number()?.as_u64());
            let number = number.and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or_else(mismatch)?;
            self.out.extend_from_slice(&number.to_le_bytes());
        }
        Ok(())
    }
}
