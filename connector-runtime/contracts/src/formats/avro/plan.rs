//! An Avro schema as the walks need it: names resolved, logical types decided, one flat list.

use crate::time::TimeUnit;
use connect_api::text::cut;

/// Index into [`Plans`].
pub(super) type PlanId = usize;

/// How one type is read and written.
#[derive(Debug)]
pub(super) enum Plan {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Box<[String]>),
    Array(PlanId),
    Map(PlanId),
    Union(Box<[PlanId]>),
    Record(Box<[Field]>),
    /// `fixed` is the number of bytes where it is not written before them.
    Decimal {
        precision: usize,
        scale: u32,
        fixed: Option<usize>,
    },
    /// A decimal that carries its own scale.
    BigDecimal,
    UuidText,
    /// Sixteen bytes; `sized` if their number is written before them.
    UuidBytes {
        sized: bool,
    },
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp(TimeUnit),
    LocalTimestamp(TimeUnit),
    Duration,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) plan: PlanId,
    /// The encoding of what is written where a value lacks the field.
    pub(super) default: Option<Box<[u8]>>,
}

impl Plan {
    /// What a value must be, as messages say it.
    pub(super) fn expected(&self) -> String {
        match self {
            Plan::Null => "null".to_owned(),
            Plan::Boolean => "a boolean".to_owned(),
            Plan::Int => "an integer of 32 bits".to_owned(),
            Plan::Long => "an integer of 64 bits".to_owned(),
            Plan::Float => "a number that a float keeps".to_owned(),
            Plan::Double => "a number that a double keeps".to_owned(),
            Plan::Bytes => "bytes or base64 text (bytes)".to_owned(),
            Plan::String => "a string".to_owned(),
            Plan::Fixed(size) => format!("{size} bytes or base64 text of them (fixed)"),
            Plan::Enum(symbols) => format!("one of {} (enum)", cut(&symbols.join(", "), 100)),
            Plan::Array(_) => "an array".to_owned(),
            Plan::Map(_) | Plan::Record(_) => "an object".to_owned(),
            Plan::Union(_) => "a value of one of the union's types".to_owned(),
            Plan::Decimal {
                precision, scale, ..
            } => {
                format!("a decimal of at most {precision} digits, {scale} of them behind the point")
            }
            Plan::BigDecimal => "a decimal".to_owned(),
            Plan::UuidText | Plan::UuidBytes { .. } => "a UUID".to_owned(),
            Plan::Date => "a date such as 2026-11-20".to_owned(),
            Plan::TimeMillis => {
                "a time of day in whole milliseconds such as 20:15:00.000".to_owned()
            }
            Plan::TimeMicros => {
                "a time of day in whole microseconds such as 20:15:00.000000".to_owned()
            }
            Plan::Timestamp(unit) => format!(
                "a time in whole {} such as 2026-11-20T20:15:00Z",
                unit.name()
            ),
            Plan::LocalTimestamp(unit) => format!(
                "a time in whole {} without an offset such as 2026-11-20T20:15:00",
                unit.name()
            ),
            Plan::Duration => "an object of months, days and milliseconds".to_owned(),
        }
    }
}

/// All types of a schema.
pub(super) struct Plans {
    plans: Vec<Plan>,
    root: PlanId,
}

impl Plans {
    /// Every id inside `plans`, and `root`, is an index of it.
    pub(super) fn new(plans: Vec<Plan>, root: PlanId) -> Plans {
        Plans { plans, root }
    }

    pub(super) fn root(&self) -> PlanId {
        self.root
    }

    pub(super) fn get(&self, id: PlanId) -> &Plan {
        self.plans
            .get(id)
            .expect("the parser hands out only indexes of plans that it built")
    }

    pub(super) fn len(&self) -> usize {
        self.plans.len()
    }

    pub(super) fn set_default(&mut self, record: PlanId, index: usize, default: Box<[u8]>) {
        if let Some(Plan::Record(fields)) = self.plans.get_mut(record)
            && let Some(field) = fields.get_mut(index)
        {
            field.default = Some(default);
        }
    }
}
