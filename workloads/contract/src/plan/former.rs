//! The format before: one source, one filter and projection, one output. Read, and never written.

use super::{Call, ResultView};
use crate::{
    Source, Table,
    node::{Map, Node, Operator},
    source::SourceKind,
};
use serde::Deserialize;

pub const PLAN_FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    semantics_version: u32,
    time_zone: String,
    source: Source,
    map: Map,
    output: Output,
    tables: Vec<Table>,
    result: ResultView,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Output {
    Append { rows: usize },
    Upsert { rows: usize },
    Aggregate { state: Option<usize>, groups: usize, calls: Vec<Call>, rows: usize },
}

impl From<Plan> for super::Plan {
    fn from(plan: Plan) -> super::Plan {
        let Plan { semantics_version, time_zone, source, map, output, tables, result } = plan;
        let (state, output) = match output {
            Output::Append { rows } => (None, super::Output::Append { rows }),
            Output::Upsert { rows } => (None, super::Output::Upsert { rows }),
            Output::Aggregate { state, groups, calls, rows } => {
                (state, super::Output::Aggregate { groups, calls, rows })
            }
        };
        let scan = Node {
            columns: map.columns.iter().map(|column| column.ty()).collect(),
            key: None,
            append_only: source.kind == SourceKind::Stream,
            operator: Operator::Scan { source: 0, map, state },
        };
        super::Plan {
            format: super::PLAN_FORMAT,
            semantics_version,
            time_zone,
            sources: vec![source],
            nodes: vec![scan],
            output,
            tables,
            result,
        }
    }
}
