//! Runs a plan's operators over one epoch: records in, writes out, and in between the state that must be read.

mod epoch;

pub use epoch::Epoch;

use crate::{
    evaluate::{Context, check},
    operator::{
        Operator,
        aggregate::Aggregate,
        append::Append,
        keep::Keep,
        latest::Latest,
        map::{Evaluated, Map, MapChanges, Rejected},
        operator,
        upsert::Upsert,
    },
    records::Records,
    value::zone_named,
};
use millrace_contract::{
    Expr, Plan, SqlType,
    node::{Node, Operator as Planned},
    plan::{Call, Output},
};
use std::{collections::BTreeSet, sync::Arc};

/// A plan, ready to run. It keeps nothing between epochs.
pub struct Dataflow {
    plan: Arc<Plan>,
    stages: Vec<Stage>,
    sink: Sink,
}

/// What runs a node.
enum Stage {
    Scan(Box<Scan>),
    Operator(Box<dyn Operator>),
}

struct Scan {
    source: usize,
    map: Map,
    /// For a Table whose rows are taken back.
    latest: Option<Latest>,
}

/// What writes the last node's rows.
enum Sink {
    Append(Append),
    Upsert(Upsert),
    Keyed(Keep),
    Aggregate(Aggregate),
}

/// One epoch's records, evaluated; for a Table only the newest of every key and partition are left, sorted by key.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// Sorted by source and row, each once.
    pub rejected: Vec<Rejected>,
    /// One for every scan, in the order of the nodes.
    changes: Vec<MapChanges>,
}

/// A stored plan that this program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan's time zone {0:?} is not known to this program; run the worker image that was stored with it")]
    TimeZone(String),
    #[error("the plan cannot be run: {0}; run the worker image that was stored with it")]
    Expression(String),
    #[error("the plan's nodes do not fit together; run the worker image that was stored with it")]
    Nodes,
    #[error("the plan sums {ty} over rows that can be retracted: the sum of floats would drift; cast to numeric")]
    FloatSum { ty: SqlType },
    #[error("the plan sums {ty}, which has no sum")]
    Sum { ty: SqlType },
}

impl Dataflow {
    pub fn new(plan: Arc<Plan>) -> Result<Self, PlanError> {
        let zone = zone_named(&plan.time_zone).map_err(|_| PlanError::TimeZone(plan.time_zone.clone()))?;
        let context = Context { zone };
        for (index, node) in plan.nodes.iter().enumerate() {
            check_node(&plan, index, node)?;
        }
        let stage = |node: &Node| match (&node.operator, operator(&plan, node, context)) {
            (_, Some(operator)) => Ok(Stage::Operator(operator)),
            (Planned::Scan { source, map, state }, None) => Ok(Stage::Scan(Box::new(Scan {
                source: *source,
                map: Map::new(&plan.sources[*source], map, context),
                latest: state.map(|state| Latest::new(state, &plan.tables[state])),
            }))),
            (_, None) => Err(PlanError::Nodes),
        };
        let stages = plan.nodes.iter().map(stage).collect::<Result<_, _>>()?;
        let last = plan.nodes.last().ok_or(PlanError::Nodes)?;
        let rows = plan.output.rows();
        let sink = match &plan.output {
            Output::Append { .. } => Sink::Append(Append::new(rows, &plan.tables[rows])),
            Output::Upsert { .. } => Sink::Upsert(Upsert::new(rows, &plan.tables[rows])),
            Output::Keyed { .. } => Sink::Keyed(Keep::new(rows, &plan.tables[rows], last)),
            Output::Aggregate { groups, calls, .. } => {
                check_sums(last, calls)?;
                Sink::Aggregate(Aggregate::new(&plan, &last.columns, *groups, calls, rows))
            }
        };
        Ok(Dataflow { stages, sink, plan })
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The stages in order, one a line.
    pub fn describe(&self) -> String {
        let mut lines = Vec::new();
        for stage in &self.stages {
            match stage {
                Stage::Scan(scan) => {
                    lines.push(scan.map.describe());
                    lines.extend(scan.latest.iter().map(Latest::describe));
                }
                Stage::Operator(operator) => lines.push(operator.describe()),
            }
        }
        lines.push(match &self.sink {
            Sink::Append(append) => append.describe(),
            Sink::Upsert(upsert) => upsert.describe(),
            Sink::Keyed(keep) => keep.describe(),
            Sink::Aggregate(aggregate) => aggregate.describe(),
        });
        lines.join("\n")
    }

    /// Evaluates the records, one batch a source. A record that fails in one scan is a record of none of them, and
    /// leaves its key's row as it was.
    pub fn map(&self, records: &[Records]) -> Mapped {
        let mut rejected: Vec<Rejected> = Vec::new();
        let mut evaluated: Vec<(&Map, usize, Evaluated)> = Vec::new();
        for stage in &self.stages {
            if let Stage::Scan(scan) = stage {
                let Scan { source, map, latest: _ } = scan.as_ref();
                let (rows, failed) = map.evaluate(&records[*source]);
                rejected.extend(failed.into_iter().map(|failed| Rejected { source: *source, ..failed }));
                evaluated.push((map, *source, rows));
            }
        }
        rejected.sort_by_key(|failed| (failed.source, failed.row));
        rejected.dedup_by_key(|failed| (failed.source, failed.row));
        let changes = evaluated.into_iter().map(|(map, source, rows)| {
            let failed: BTreeSet<usize> =
                rejected.iter().filter(|failed| failed.source == source).map(|failed| failed.row).collect();
            map.changes(&records[source], rows, &failed)
        });
        Mapped { changes: changes.collect(), rejected }
    }

    /// The evaluated records' way through the plan.
    pub fn epoch<'a>(&'a self, mapped: &'a Mapped) -> Epoch<'a> {
        Epoch::new(self, mapped)
    }
}

fn check_node(plan: &Plan, index: usize, node: &Node) -> Result<(), PlanError> {
    if node.operator.inputs().iter().any(|input| *input >= index) {
        return Err(PlanError::Nodes);
    }
    let (expressions, types): (Vec<&Expr>, Vec<SqlType>) = match &node.operator {
        Planned::Scan { source, map, .. } => {
            let source = plan.sources.get(*source).ok_or(PlanError::Nodes)?;
            let types = source.columns.iter().map(|column| column.ty).collect();
            (source.delete_when.iter().chain(&map.filter).chain(&map.columns).collect(), types)
        }
        Planned::Map { input, map } => {
            (map.filter.iter().chain(&map.columns).collect(), plan.nodes[*input].columns.clone())
        }
        Planned::Keep { .. } => (Vec::new(), Vec::new()),
        Planned::Join { left, right, condition, .. } => {
            let sides = [left, right].map(|side| &plan.nodes[side.node].columns);
            (condition.iter().collect(), sides.into_iter().flatten().copied().collect())
        }
    };
    expressions.into_iter().try_for_each(|expr| check(expr, &types)).map_err(PlanError::Expression)
}

fn check_sums(last: &Node, calls: &[Call]) -> Result<(), PlanError> {
    for call in calls {
        let Call::Sum { argument, .. } = call else { continue };
        match last.columns[*argument] {
            SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Numeric => {}
            SqlType::Real | SqlType::DoublePrecision if last.append_only => {}
            ty @ (SqlType::Real | SqlType::DoublePrecision) => return Err(PlanError::FloatSum { ty }),
            ty => return Err(PlanError::Sum { ty }),
        }
    }
    Ok(())
}
