//! The shapes of objects: which names followed which in the documents so far.
//!
//! Records of one topic mostly have their members in one order. A name that comes where it came last time costs one
//! comparison: no search for its end, and no comparison with the names before it, because the steps that lead to it never
//! name a member twice.

use super::super::shape::Family;

/// Steps that are remembered. Objects with ever new names fill them up; then they are forgotten and learned again.
const MOST_STEPS: usize = 1_024;
/// Steps that may follow one step: objects whose names are data have no shape.
const MOST_BRANCHES: usize = 8;
/// Bytes of a name that is remembered.
const LONGEST_NAME: usize = 64;

/// The steps. The first is the root's: no member yet.
pub(super) struct Shapes {
    steps: Vec<Step>,
    /// New whenever the steps are forgotten, so that their numbers are not taken for those of later ones.
    family: Option<Family>,
    is_full: bool,
}

/// The names up to here are members of one object.
struct Step {
    /// As it is written behind another member where no blanks are: between [`BEFORE_NAME`] and [`BEHIND_NAME`].
    name: Box<[u8]>,
    /// The step before.
    before: At,
    /// The step that followed last time.
    expected: Option<usize>,
    branches: Vec<usize>,
    /// Where objects begin that are, or are in, the value of this member.
    inner: Option<usize>,
}

/// Of the steps where objects begin. No member has it, not even one whose name is empty.
const NO_NAME: &[u8] = b"";
pub(super) const BEFORE_NAME: &[u8] = b",\"";
pub(super) const BEHIND_NAME: &[u8] = b"\":";

impl Step {
    fn is_named(&self, name: &[u8]) -> bool {
        let own = self.name.strip_prefix(BEFORE_NAME);
        own.and_then(|own| own.strip_suffix(BEHIND_NAME)) == Some(name)
    }
}

/// A step, or none that is known: then names are compared when the object ends.
pub(super) type At = Option<usize>;

impl Shapes {
    pub(super) fn new() -> Shapes {
        let mut shapes = Shapes::none();
        shapes.forget();
        shapes
    }

    /// Knows no step and learns none.
    pub(super) fn none() -> Shapes {
        Shapes {
            steps: Vec::new(),
            family: None,
            is_full: false,
        }
    }

    /// What the steps belong to: until the next document begins.
    pub(super) fn family(&self) -> Option<Family> {
        self.family
    }

    /// Where the document's root begins.
    pub(super) fn begin(&mut self) -> At {
        if self.is_full {
            self.forget();
        }
        (!self.steps.is_empty()).then_some(0)
    }

    fn forget(&mut self) {
        self.steps.clear();
        self.family = Some(Family::new());
        self.is_full = false;
        self.add(None, NO_NAME.into());
    }

    /// The step that followed last time, and its name between [`BEFORE_NAME`] and [`BEHIND_NAME`].
    #[inline]
    pub(super) fn expected(&self, at: At) -> Option<(usize, &[u8])> {
        let next = self.steps.get(at?)?.expected?;
        Some((next, &self.steps.get(next)?.name))
    }

    /// The step from `at` by this name, without its quotes. `Err` if the object has it already.
    pub(super) fn follow(&mut self, at: At, name: &[u8]) -> Result<At, Twice> {
        let Some(step) = at.and_then(|at| self.steps.get(at)) else {
            return Ok(None);
        };
        let mut branches = step.branches.iter().copied();
        let known = branches.find(|branch| self.is_named(*branch, name));
        let next = match known {
            Some(branch) => Some(branch),
            None => self.learn(at, step.branches.len(), name)?,
        };
        if let (Some(step), Some(_)) = (at.and_then(|at| self.steps.get_mut(at)), next) {
            step.expected = next;
        }
        Ok(next)
    }

    fn learn(&mut self, at: At, branches: usize, name: &[u8]) -> Result<At, Twice> {
        if branches == MOST_BRANCHES || name.len() > LONGEST_NAME {
            return Ok(None);
        }
        let mut earlier = at;
        while let Some(step) = earlier.and_then(|earlier| self.steps.get(earlier)) {
            if step.is_named(name) {
                return Err(Twice);
            }
            earlier = step.before;
        }
        let name = [BEFORE_NAME, name, BEHIND_NAME].concat();
        let Some(next) = self.add(at, name.into()) else {
            return Ok(None);
        };
        if let Some(step) = at.and_then(|at| self.steps.get_mut(at)) {
            step.branches.push(next);
        }
        Ok(Some(next))
    }

    /// Where objects in the value of the member at this step begin.
    pub(super) fn inner(&mut self, at: At) -> At {
        let step = self.steps.get(at?)?;
        if step.inner.is_some() {
            return step.inner;
        }
        let inner = self.add(None, NO_NAME.into());
        if let Some(step) = self.steps.get_mut(at?) {
            step.inner = inner;
        }
        inner
    }

    fn add(&mut self, before: At, name: Box<[u8]>) -> Option<usize> {
        if self.steps.len() == MOST_STEPS {
            self.is_full = true;
            return None;
        }
        self.steps.push(Step {
            name,
            before,
            expected: None,
            branches: Vec::new(),
            inner: None,
        });
        Some(self.steps.len() - 1)
    }

    fn is_named(&self, step: usize, name: &[u8]) -> bool {
        self.steps.get(step).is_some_and(|step| step.is_named(name))
    }
}

/// A name that the object has already.
pub(super) struct Twice;
