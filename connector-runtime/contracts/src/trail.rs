//! Errors of codecs with the path of the node at fault.
//!
//! Codecs collect the path from the inside out while they return from their recursion, so that it costs nothing without a fault.

use connect_api::{BuildError, Found, ValueRef};

use crate::fault::ValueFault;
use crate::instance_path::{push_index, push_member};

/// The path from the root to a fault, the innermost step first.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<TrailStep>);

#[derive(Debug)]
pub(crate) enum TrailStep {
    Member(String),
    Index(usize),
}

impl Trail {
    pub(crate) fn path(&self) -> String {
        let mut path = String::from("$");
        for step in self.0.iter().rev() {
            match step {
                TrailStep::Member(name) => push_member(&mut path, name),
                TrailStep::Index(index) => push_index(&mut path, *index),
            }
        }
        path
    }
}

/// Why bytes cannot be decoded.
#[derive(Debug)]
pub(crate) struct Misread {
    pub(crate) reason: String,
    pub(crate) trail: Trail,
}

impl Misread {
    pub(crate) fn under(mut self, step: impl FnOnce() -> TrailStep) -> Misread {
        self.trail.0.push(step());
        self
    }
}

impl From<BuildError> for Misread {
    fn from(error: BuildError) -> Misread {
        Misread {
            reason: error.message,
            trail: Trail::default(),
        }
    }
}

pub(crate) fn misread<T>(reason: impl Into<String>) -> Result<T, Misread> {
    Err(Misread {
        reason: reason.into(),
        trail: Trail::default(),
    })
}

/// A value that does not fit the schema: a [`ValueFault`] whose path is still being collected.
#[derive(Debug)]
pub(crate) struct Mismatch {
    found: Found,
    expected: String,
    trail: Trail,
}

impl Mismatch {
    pub(crate) fn new(value: ValueRef<'_>, expected: impl Into<String>) -> Mismatch {
        Mismatch::of(Found::from(value), expected)
    }

    /// A member that the value lacks.
    pub(crate) fn missing(expected: impl Into<String>) -> Mismatch {
        Mismatch::of(Found::nothing(), expected)
    }

    fn of(found: Found, expected: impl Into<String>) -> Mismatch {
        Mismatch {
            found,
            expected: expected.into(),
            trail: Trail::default(),
        }
    }

    pub(crate) fn under(mut self, step: impl FnOnce() -> TrailStep) -> Mismatch {
        self.trail.0.push(step());
        self
    }

    pub(crate) fn fault(self) -> ValueFault {
        ValueFault::contract(&self.trail.path(), self.found, self.expected)
    }
}
