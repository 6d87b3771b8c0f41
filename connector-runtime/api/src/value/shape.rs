//! The shape of an object: the names of its members, in their order.
//!
//! Records of one topic mostly have few shapes, and what follows from the names alone, such as which rule of a contract a
//! member must keep or which column it becomes, is the same for all objects of a shape. [`ByShape`] remembers it, so that
//! no name is compared twice.
//!
//! A shape that is taken for another one would put values into the wrong columns, in silence. Therefore only the JSON parser
//! gives shapes, to objects that it reads itself, and whatever changes a value takes all of its shapes away
//! ([`ShapedNodes::edit`]). A shape is a number within its *family*: the names that one parser learned, from when it began
//! until it forgot them. A family's number is never used again in the process. Neither number leaves this module's parent.

use std::num::{NonZeroU16, NonZeroU64};
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};

use super::node::Node;
use super::{Members, ValueRef};

/// What tells the names that a parser learned from those of all others, and from those that it learned before it forgot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family(NonZeroU64);

impl Family {
    pub(super) fn new() -> Family {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Family(NonZeroU64::new(number).expect("nobody counts to the end of 64 bits"))
    }
}

/// The number of an object's shape within its family; none where the shape is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShapeNumber(Option<NonZeroU16>);

impl ShapeNumber {
    /// Step 0 is the root's beginning, which only an empty document has for its shape.
    #[inline]
    pub(super) fn of_step(step: Option<usize>) -> ShapeNumber {
        let number = step.and_then(|step| u16::try_from(step).ok());
        ShapeNumber(number.and_then(NonZeroU16::new))
    }
}

/// The nodes of a value in preorder, and the family that the shapes of their objects belong to.
#[derive(Clone)]
pub(super) struct ShapedNodes {
    list: Vec<Node>,
    family: Option<Family>,
}

impl ShapedNodes {
    pub(super) fn new(list: Vec<Node>, family: Option<Family>) -> ShapedNodes {
        ShapedNodes { list, family }
    }

    pub(super) fn without_shapes(list: Vec<Node>) -> ShapedNodes {
        ShapedNodes::new(list, None)
    }

    /// The nodes, to be changed: they have no shapes any more.
    pub(super) fn edit(&mut self) -> &mut Vec<Node> {
        self.family = None;
        &mut self.list
    }

    /// A copy of the nodes in `range`, if there are so many.
    pub(super) fn part(&self, range: Range<usize>) -> Option<ShapedNodes> {
        let list = self.list.get(range)?.to_vec();
        Some(ShapedNodes::new(list, self.family))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Node>()
    }

    /// The shape of the object at this index.
    #[inline]
    fn shape_at(&self, index: usize) -> Option<(Family, NonZeroU16)> {
        match self.list.get(index) {
            Some(Node::Object { shape, .. }) => self.family.zip(shape.0),
            _ => None,
        }
    }
}

impl Deref for ShapedNodes {
    type Target = [Node];

    #[inline]
    fn deref(&self) -> &[Node] {
        &self.list
    }
}

/// Families that are remembered: tasks that share what holds a [`ByShape`] read with parsers of their own.
const MOST_FAMILIES: usize = 4;

/// Answers to a question that only depends on the names of an object's members and their order: one for each shape.
///
/// Its size is bounded by what parsers remember, some thousand shapes.
#[derive(Clone, Debug)]
pub struct ByShape<T> {
    /// The one that was asked about last is the first.
    families: Vec<OfFamily<T>>,
}

#[derive(Clone, Debug)]
struct OfFamily<T> {
    family: Family,
    /// By the number of the shape.
    answers: Vec<Answer<T>>,
}

#[derive(Clone, Debug)]
enum Answer<T> {
    /// The shape has not been met.
    Never,
    /// The shape was met once. Objects whose names are data have ever new shapes: to answer for them is of no use.
    Once,
    Known(T),
}

impl<T> Default for ByShape<T> {
    fn default() -> ByShape<T> {
        ByShape {
            families: Vec::new(),
        }
    }
}

impl<T> ByShape<T> {
    /// The answer for `value`; `None` if it is no object, or its shape is not known or has not been met before.
    ///
    /// `answer` must not look at anything but the names: the same answer is given for other objects of that shape.
    #[inline]
    pub fn get(
        &mut self,
        value: ValueRef<'_>,
        answer: impl FnOnce(Members<'_>) -> T,
    ) -> Option<&T> {
        let (family, number) = value.value.nodes.shape_at(value.index)?;
        let number = usize::from(number.get());
        let is_known = self.families.first().is_some_and(|recent| {
            recent.family == family && matches!(recent.answers.get(number), Some(Answer::Known(_)))
        });
        if !is_known {
            self.meet(family, number, || value.members().map(answer));
        }
        match self.families.first()?.answers.get(number)? {
            Answer::Known(answer) => Some(answer),
            Answer::Never | Answer::Once => None,
        }
    }

    #[cold]
    fn meet(&mut self, family: Family, number: usize, answer: impl FnOnce() -> Option<T>) {
        let mut families = self.families.iter();
        match families.position(|known| known.family == family) {
            Some(index) => self
                .families
                .get_mut(..=index)
                .map(|used| used.rotate_right(1)),
            None => {
                self.families.truncate(MOST_FAMILIES - 1);
                let answers = Vec::new();
                self.families.insert(0, OfFamily { family, answers });
                None
            }
        };
        let recent = self.families.first_mut();
        let answers = &mut recent.expect("the family has been put first").answers;
        if answers.len() <= number {
            answers.resize_with(number + 1, || Answer::Never);
        }
        let known = answers.get_mut(number).expect("there are so many answers");
        match known {
            Answer::Never => *known = Answer::Once,
            Answer::Once => *known = answer().map_or(Answer::Once, Answer::Known),
            Answer::Known(_) => {}
        }
    }
}
