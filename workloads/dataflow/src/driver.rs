//! Runs a plan's operators over one epoch: records in, writes out, and in between the state that must be read.

use crate::{
    changes::{Inserts, Wants, Weighted, Write},
    evaluate::{Context, EvalError, check},
    operator::{
        aggregate::Aggregate,
        append::Append,
        latest::Latest,
        map::{Map, MapChanges, Rejected},
        upsert::Upsert,
    },
    records::Records,
    value::zone_named,
};
use arrow_array::{Int64Array, RecordBatch};
use millrace_contract::{
    Plan, SqlType,
    plan::{Call, Output},
};
use std::sync::Arc;

/// A plan, ready to run. It keeps nothing between epochs.
pub struct Dataflow {
    plan: Arc<Plan>,
    map: Map,
    stages: Stages,
}

enum Stages {
    Append(Append),
    Upsert(Upsert),
    Fold(Aggregate),
    KeepAndFold(Latest, Aggregate),
}

/// One epoch's records, evaluated; for a Table only the newest of every key and partition are left, sorted by key.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub rejected: Vec<Rejected>,
    changes: MapChanges,
}

/// A stored plan that this program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan's time zone {0:?} is not known to this program; run the worker image that was stored with it")]
    TimeZone(String),
    #[error("the plan cannot be run: {0}; run the worker image that was stored with it")]
    Expression(String),
    #[error(
        "the plan sums {ty} in {table}, where rows can be retracted: the sum of floats would drift; cast to numeric"
    )]
    FloatSum { ty: SqlType, table: String },
    #[error("the plan sums {ty}, which has no sum")]
    Sum { ty: SqlType },
}

impl Dataflow {
    pub fn new(plan: Arc<Plan>) -> Result<Self, PlanError> {
        let zone = zone_named(&plan.time_zone).map_err(|_| PlanError::TimeZone(plan.time_zone.clone()))?;
        let types: Vec<SqlType> = plan.source.columns.iter().map(|column| column.ty).collect();
        let mut expressions = plan.source.delete_when.iter().chain(&plan.map.filter).chain(&plan.map.columns);
        expressions.try_for_each(|expr| check(expr, &types)).map_err(PlanError::Expression)?;
        let stages = match &plan.output {
            Output::Append { rows } => Stages::Append(Append::new(*rows, &plan.tables[*rows])),
            Output::Upsert { rows } => Stages::Upsert(Upsert::new(*rows, &plan.tables[*rows])),
            Output::Aggregate { state, groups, calls, rows } => {
                check_sums(&plan, calls, state.is_some())?;
                let aggregate = Aggregate::new(&plan, *groups, calls, *rows);
                match state {
                    None => Stages::Fold(aggregate),
                    Some(state) => Stages::KeepAndFold(Latest::new(*state, &plan.tables[*state]), aggregate),
                }
            }
        };
        Ok(Dataflow { map: Map::new(&plan, Context { zone }), stages, plan })
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The stages in order, one a line.
    pub fn describe(&self) -> String {
        let stages = match &self.stages {
            Stages::Append(append) => vec![append.describe()],
            Stages::Upsert(upsert) => vec![upsert.describe()],
            Stages::Fold(aggregate) => vec![aggregate.describe()],
            Stages::KeepAndFold(latest, aggregate) => vec![latest.describe(), aggregate.describe()],
        };
        std::iter::once(self.map.describe()).chain(stages).collect::<Vec<_>>().join("\n")
    }

    /// Evaluates the records; those that fail are rejected, and leave their key's row as it was.
    pub fn map(&self, records: &Records) -> Mapped {
        let (changes, rejected) = self.map.apply(records);
        Mapped { rejected, changes }
    }

    /// The stored rows that `apply` needs; none if it needs none.
    pub fn wants(&self, mapped: &Mapped) -> Option<Wants> {
        match (&self.stages, &mapped.changes) {
            (Stages::KeepAndFold(latest, _), MapChanges::Newest(newest)) => latest.wants(newest),
            _ => None,
        }
    }

    /// What to write: state tables first, then `rows`, then values tables. `state` holds the rows of the wanted keys
    /// that exist, all columns, in any order. A table may have several writes, in their order. An error is of the whole epoch: a sum that left its type.
    pub fn apply(&self, mapped: &Mapped, state: Option<&RecordBatch>) -> Result<Vec<Write>, EvalError> {
        match (&self.stages, &mapped.changes) {
            (Stages::Append(append), MapChanges::Inserts(inserts)) => Ok(append.apply(inserts).into_iter().collect()),
            (Stages::Upsert(upsert), MapChanges::Newest(newest)) => Ok(upsert.apply(newest)),
            (Stages::Fold(aggregate), MapChanges::Inserts(inserts)) => aggregate.apply(&inserted(inserts)),
            (Stages::KeepAndFold(latest, aggregate), MapChanges::Newest(newest)) => {
                let (weighted, write) = latest.apply(newest, state);
                let mut writes: Vec<Write> = write.into_iter().collect();
                writes.extend(aggregate.apply(&weighted)?);
                Ok(writes)
            }
            _ => unreachable!("a source's kind decides both its map and its stages"),
        }
    }
}

fn inserted(inserts: &Inserts) -> Weighted {
    Weighted { columns: inserts.columns.clone(), weights: Int64Array::from(vec![1; inserts.offsets.len()]) }
}

fn check_sums(plan: &Plan, calls: &[Call], retracts: bool) -> Result<(), PlanError> {
    for call in calls {
        let Call::Sum { argument, .. } = call else { continue };
        let ty = plan.map.columns[*argument].ty();
        match ty {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Numeric => {}
            SqlType::Real | SqlType::DoublePrecision if !retracts => {}
            SqlType::Real | SqlType::DoublePrecision => {
                return Err(PlanError::FloatSum { ty, table: plan.source.name.clone() });
            }
            _ => return Err(PlanError::Sum { ty }),
        }
    }
    Ok(())
}
