//! The branch of a union that a value is written as.
//!
//! A branch is chosen by what can be seen without going deep, and nothing is tried and taken back: a value nested in unions
//! of similar records would be tried an exponential number of times.

use connect_api::ValueRef;

use super::leaf::{Leaf, is_exact_float};
use super::plan::{Plan, PlanId, Plans};

/// The index of the branch. A branch that keeps the value as it is goes before one that converts it: 0.1 is rather a double
/// than a float, and text rather a string than the bytes whose base64 it happens to be.
pub(super) fn branch_for(plans: &Plans, branches: &[PlanId], value: ValueRef<'_>) -> Option<usize> {
    let keeps = |branch: &PlanId| {
        let plan = plans.get(*branch);
        keeps_as_it_is(plan, value) && fits(plans, plan, value)
    };
    let fits = |branch: &PlanId| fits(plans, plans.get(*branch), value);
    branches
        .iter()
        .position(keeps)
        .or_else(|| branches.iter().position(fits))
}

/// Whether nothing is converted, for a value that fits.
fn keeps_as_it_is(plan: &Plan, value: ValueRef<'_>) -> bool {
    match plan {
        Plan::Float => is_exact_float(value),
        Plan::Bytes | Plan::Fixed(_) => value.as_str().is_none(),
        Plan::Decimal { .. } | Plan::BigDecimal => value.as_number().is_some(),
        Plan::Timestamp(_) => value.as_str().is_some(),
        _ => true,
    }
}

fn fits(plans: &Plans, plan: &Plan, value: ValueRef<'_>) -> bool {
    match plan {
        Plan::Record(fields) => value.members().is_some_and(|mut members| {
            let needed = fields.iter().filter(|field| field.default.is_none());
            let mut missing = needed.filter(|field| value.get(&field.name).is_none());
            missing.all(|field| matches!(plans.get(field.plan), Plan::Union(_)))
                && members.all(|(name, member)| {
                    let mut fields = fields.iter();
                    fields.any(|field| {
                        &*field.name == name && fits_outside(plans, field.plan, member)
                    })
                })
        }),
        _ => fits_plan_outside(plan, value),
    }
}

/// Whether a record's member fits, its own members and elements left aside.
fn fits_outside(plans: &Plans, id: PlanId, value: ValueRef<'_>) -> bool {
    match plans.get(id) {
        Plan::Union(branches) => branches
            .iter()
            .any(|branch| fits_plan_outside(plans.get(*branch), value)),
        plan => fits_plan_outside(plan, value),
    }
}

fn fits_plan_outside(plan: &Plan, value: ValueRef<'_>) -> bool {
    match plan {
        Plan::Array(_) => value.elements().is_some(),
        Plan::Map(_) | Plan::Record(_) => value.members().is_some(),
        Plan::Duration => {
            let is_part = |name: &str| matches!(name, "months" | "days" | "milliseconds");
            value.members().is_some_and(|mut members| {
                members.len() == 3 && members.all(|(name, _)| is_part(name))
            })
        }
        // A union in a union, which Avro forbids, is read but not written.
        Plan::Union(_) => false,
        plan => Leaf::of(plan, value).is_some(),
    }
}
