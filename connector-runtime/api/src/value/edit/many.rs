//! Changing every field that [`Fields`] mean, in one pass over the tape: element by element, an array of 100,000 would
//! move the rest of the tape 100,000 times.

use super::super::node::Node;
use super::super::{Value, ValueRef};
use super::EditError;
use crate::value::fields::{Fields, FieldsStep};
use crate::value::path::PathStep;

/// A node that a path leads to.
#[derive(Clone, Default)]
struct Target {
    index: usize,
    /// The containers passed, outermost first.
    ancestors: Vec<usize>,
    /// The array elements that `[*]` selects along the path.
    elements: Vec<usize>,
}

/// New nodes for the range of the tape that starts here.
struct Replaced {
    start: usize,
    removed: usize,
    added: Vec<Node>,
}

impl Target {
    fn child(&self, index: usize) -> Target {
        let mut child = self.clone();
        child.ancestors.push(self.index);
        child.index = index;
        child
    }
}

impl Value {
    /// Replaces each existing field by the result of `change`, which gets the field's path and value; `None`
    /// leaves it. After an error nothing is changed.
    ///
    /// A missing field, an empty array and `null` on the way are passed over. A value of another type on the way is an
    /// error: the path means something that the record has in another form.
    pub fn replace_each<E: From<EditError>>(
        &mut self,
        fields: &Fields,
        mut change: impl FnMut(&dyn Fn() -> String, ValueRef<'_>) -> Result<Option<Value>, E>,
    ) -> Result<(), E> {
        self.with_root();
        let targets = self.targets(fields)?;
        let mut changes = Vec::new();
        for target in targets {
            let path = || fields.path_to(fields.steps().len(), &target.elements);
            if let Some(new) = change(&path, self.root_at(target.index))? {
                changes.push((target, new));
            }
        }
        let mut replaced = Vec::with_capacity(changes.len());
        for (target, new) in changes {
            let removed = self.node(target.index).extent();
            let added = self.import(new);
            self.grow(&target.ancestors, added.len() as i64 - removed as i64);
            replaced.push(Replaced {
                start: target.index,
                removed,
                added,
            });
        }
        self.rebuild(replaced);
        Ok(())
    }

    /// Takes away each of the fields that exist; what is passed over and what is an error is as for
    /// [`Value::replace_each`]. The root cannot be removed.
    pub fn remove_each(&mut self, fields: &Fields) -> Result<(), EditError> {
        self.with_root();
        let mut replaced = Vec::new();
        for target in self.targets(fields)? {
            let Some(container) = target.ancestors.last().copied() else {
                continue;
            };
            let is_member = matches!(self.node(container), Node::Object { .. });
            // A member's name is on the tape before its value.
            let name = usize::from(is_member);
            let removed = self.node(target.index).extent() + name;
            self.grow(&target.ancestors, -(removed as i64));
            self.count_members(container, -1);
            replaced.push(Replaced {
                start: target.index - name,
                removed,
                added: Vec::new(),
            });
        }
        self.rebuild(replaced);
        Ok(())
    }

    /// What the path leads to, in the order of the tape.
    fn targets(&self, fields: &Fields) -> Result<Vec<Target>, EditError> {
        let mut targets = vec![Target::default()];
        for (step_index, step) in fields.steps().iter().enumerate() {
            let mut next = Vec::with_capacity(targets.len());
            for target in targets {
                if self.root_at(target.index).is_null() {
                    continue;
                }
                self.step(step, &target, &mut next).ok_or_else(|| {
                    let found = self.root_at(target.index).type_name();
                    let expected = expected_by(step);
                    let at = fields.path_to(step_index, &target.elements);
                    EditError {
                        message: format!("{found} found at {at} where {fields} expects {expected}"),
                    }
                })?;
            }
            targets = next;
        }
        Ok(targets)
    }

    /// Adds what the step leads to; `None` if the target is of a type that the step cannot lead into.
    fn step(&self, step: &FieldsStep, target: &Target, next: &mut Vec<Target>) -> Option<()> {
        let here = self.root_at(target.index);
        match step {
            FieldsStep::One(step) => {
                match step {
                    PathStep::Name(_) => drop(here.members()?),
                    PathStep::Index(_) => drop(here.elements()?),
                }
                let found = step.follow(here);
                next.extend(found.map(|found| target.child(found.index())));
            }
            FieldsStep::EveryElement => {
                for (index, element) in here.elements()?.enumerate() {
                    let mut child = target.child(element.index());
                    child.elements.push(index);
                    next.push(child);
                }
            }
        }
        Some(())
    }

    /// Puts the new nodes on the tape. `replaced` is in the order of the tape, and no range contains another: all lie
    /// equally deep.
    fn rebuild(&mut self, replaced: Vec<Replaced>) {
        if replaced.is_empty() {
            return;
        }
        let nodes = self.nodes.edit();
        let old = std::mem::take(nodes);
        let mut rest = old.as_slice();
        let mut passed = 0;
        for Replaced {
            start,
            removed,
            added,
        } in replaced
        {
            let (kept, from_start) = rest.split_at(start - passed);
            nodes.extend_from_slice(kept);
            nodes.extend(added);
            rest = from_start.split_at(removed).1;
            passed = start + removed;
        }
        nodes.extend_from_slice(rest);
    }
}

fn expected_by(step: &FieldsStep) -> &'static str {
    match step {
        FieldsStep::One(PathStep::Name(_)) => "an object",
        FieldsStep::One(PathStep::Index(_)) | FieldsStep::EveryElement => "an array",
    }
}
