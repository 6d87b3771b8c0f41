//! A value to Avro's bytes. What an encoding would alter is refused.

use connect_api::ValueRef;

use super::MAX_DEPTH;
use super::leaf::Leaf;
use super::plan::{Field, Plan, PlanId, Plans};
use super::union::branch_for;
use super::wire::{write_long, write_sized};
use crate::fault::ValueFault;
use crate::trail::{Mismatch, TrailStep};

pub(super) fn from_value(
    plans: &Plans,
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ValueFault> {
    let mut writer = Writer {
        plans,
        out,
        depth: 0,
    };
    let written = writer.value(plans.root(), value);
    written.map_err(Mismatch::rejection)
}

struct Writer<'a> {
    plans: &'a Plans,
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, id: PlanId, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let plan = self.plans.get(id);
        match plan {
            Plan::Array(_) | Plan::Map(_) | Plan::Union(_) | Plan::Record(_) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    let expected = format!("values nested at most {MAX_DEPTH} deep");
                    return Err(Mismatch::new(value, expected));
                }
                self.nested(plan, value)?;
                self.depth -= 1;
                Ok(())
            }
            Plan::Duration => self.duration(value),
            _ => match Leaf::of(plan, value) {
                Some(leaf) => {
                    leaf.write(self.out);
                    Ok(())
                }
                None => Err(Mismatch::new(value, plan.expected())),
            },
        }
    }

    fn nested(&mut self, plan: &Plan, value: ValueRef<'_>) -> Result<(), Mismatch> {
        match plan {
            Plan::Array(element) => self.array(*element, value),
            Plan::Map(member) => self.map(*member, value),
            Plan::Union(branches) => self.union(branches, value),
            Plan::Record(fields) => self.record(fields, value),
            _ => Ok(()),
        }
    }

    fn array(&mut self, element: PlanId, value: ValueRef<'_>) -> Result<(), Mismatch> {
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

    fn map(&mut self, member: PlanId, value: ValueRef<'_>) -> Result<(), Mismatch> {
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

    /// A block's count; an empty array or map has only the end.
    fn begin_block(&mut self, count: usize) {
        if count > 0 {
            write_long(self.out, count as i64);
        }
    }

    fn end_blocks(&mut self) {
        write_long(self.out, 0);
    }

    fn union(&mut self, branches: &[PlanId], value: ValueRef<'_>) -> Result<(), Mismatch> {
        let chosen = branch_for(self.plans, branches, value);
        if let Some(index) = chosen
            && let Some(branch) = branches.get(index)
        {
            write_long(self.out, index as i64);
            return self.value(*branch, value);
        }
        let words: Vec<String> = branches
            .iter()
            .map(|branch| self.plans.get(*branch).expected())
            .collect();
        Err(Mismatch::new(value, words.join(" or ")))
    }

    fn record(&mut self, fields: &[Field], value: ValueRef<'_>) -> Result<(), Mismatch> {
        let members = value.members();
        let members = members.ok_or_else(|| Mismatch::new(value, "an object"))?;
        // A member that the record has no field for would be lost in silence.
        let mut known = 0;
        for field in fields {
            let step = || TrailStep::Member(field.name.to_string());
            let written = match (value.get(&field.name), &field.default) {
                (Some(found), _) => {
                    known += 1;
                    self.value(field.plan, found)
                }
                (None, Some(default)) => {
                    self.out.extend_from_slice(default);
                    Ok(())
                }
                (None, None) => self.absent(field.plan),
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

    /// A field that the value lacks: null where the schema takes null.
    fn absent(&mut self, id: PlanId) -> Result<(), Mismatch> {
        let null = match self.plans.get(id) {
            Plan::Null => return Ok(()),
            Plan::Union(branches) => branches
                .iter()
                .position(|branch| matches!(self.plans.get(*branch), Plan::Null)),
            _ => None,
        };
        match null {
            Some(index) => {
                write_long(self.out, index as i64);
                Ok(())
            }
            None => Err(Mismatch::missing(self.plans.get(id).expected())),
        }
    }

    fn duration(&mut self, value: ValueRef<'_>) -> Result<(), Mismatch> {
        let mismatch = || Mismatch::new(value, Plan::Duration.expected());
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
