//! The transforms of a connector, applied to one record after the other.

use connect_api::{Cause, Predicate, Record, Step, Transform};

use super::rejection::{Rejection, RejectionStage};
use connect_config::ConfiguredTransform;

/// The transforms of one task, in the order of the file.
pub(crate) struct Transforms {
    steps: Vec<BuiltTransform>,
    /// What one source record is before and after the step that runs: kept, so that a record costs no vectors.
    before: Vec<Record>,
    after: Vec<Record>,
}

struct BuiltTransform {
    kind: &'static str,
    when: Option<Predicate>,
    transform: Box<dyn Transform>,
}

impl Transforms {
    pub(crate) fn build(configured: &[ConfiguredTransform]) -> Result<Transforms, Cause> {
        let build = |one: &ConfiguredTransform| {
            let transform = one
                .factory
                .build()
                .map_err(|finding| Cause::new(finding.message))?;
            Ok(BuiltTransform {
                kind: one.kind,
                when: one.when.clone(),
                transform,
            })
        };
        Ok(Transforms {
            steps: configured.iter().map(build).collect::<Result<_, Cause>>()?,
            before: Vec::new(),
            after: Vec::new(),
        })
    }

    /// Appends what `record` becomes, its parts numbered.
    pub(crate) fn apply(&mut self, record: Record, out: &mut Vec<Record>) -> Result<(), Rejection> {
        if self.steps.is_empty() {
            out.push(record);
            return Ok(());
        }
        self.before.clear();
        self.before.push(record);
        for step in &mut self.steps {
            self.after.clear();
            for record in self.before.drain(..) {
                step.apply(record, &mut self.after)?;
            }
            if self.after.len() > 1 {
                number(&mut self.after);
            }
            std::mem::swap(&mut self.before, &mut self.after);
        }
        out.append(&mut self.before);
        Ok(())
    }
}

fn number(records: &mut [Record]) {
    for (ordinal, record) in (0..).zip(records) {
        record.ordinal = ordinal;
    }
}

impl BuiltTransform {
    fn apply(&mut self, record: Record, out: &mut Vec<Record>) -> Result<(), Rejection> {
        if let Some(when) = &self.when {
            let matched = when
                .matches(&record)
                .map_err(|reason| when_reject(self.kind, reason))?;
            if !matched {
                out.push(record);
                return Ok(());
            }
        }
        match self.transform.apply(record) {
            Ok(Step::Keep(record)) => out.push(record),
            Ok(Step::Drop) => {}
            Ok(Step::Split(parts)) => out.extend(parts),
            Err(cause) => return Err(Rejection::of_transform(self.kind, &cause)),
        }
        Ok(())
    }
}

fn when_reject(place: &str, reason: String) -> Rejection {
    Rejection::plain(
        RejectionStage::Transformation,
        place,
        "PredicateError",
        reason,
    )
}
