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

#[cfg(test)]
mod tests {
    use crate::{Plan, node::Operator, plan::Output};

    /// As the version before stored it: `SELECT department, count(*) AS users FROM users GROUP BY department`.
    const STORED: &str = r#"{
        "format": 1, "semanticsVersion": 1, "timeZone": "Asia/Seoul",
        "source": {"name": "users", "topic": "user-events", "kind": "Table", "format": "Json", "keyFormat": "Text",
                   "key": [0], "deleteWhen": null,
                   "columns": [{"name": "id", "ty": "bigint", "origin": {"path": ["id"]}},
                               {"name": "부서", "ty": "text", "origin": {"path": ["부서"]}}]},
        "map": {"filter": null, "columns": [{"column": {"index": 1, "ty": "text"}}]},
        "output": {"aggregate": {"state": 1, "groups": 1, "calls": [], "rows": 0}},
        "tables": [
            {"name": "rows", "key": [0], "write": {"merge": {"keep_empty": false, "extremes": []}},
             "columns": [{"name": "부서", "ty": "text", "nullable": true, "merge": "replace"},
                         {"name": "_count", "ty": "bigint", "nullable": false, "merge": "add"}]},
            {"name": "state", "key": [0], "write": "versioned",
             "columns": [{"name": "_key_id", "ty": "bigint", "nullable": false, "merge": "replace"}]}],
        "result": {"columns": [], "condition": null}
    }"#;

    #[test]
    fn a_plan_of_the_former_format_is_one_scan() {
        let plan = Plan::from_json(STORED).expect("it is readable");
        assert_eq!(plan.topics().names(), ["user-events"]);
        let [node] = &plan.nodes[..] else { panic!("one node: {:?}", plan.nodes) };
        assert!(matches!(node.operator, Operator::Scan { source: 0, state: Some(1), .. }), "{node:?}");
        assert!(!node.append_only);
        assert!(matches!(plan.output, Output::Aggregate { groups: 1, rows: 0, .. }), "{:?}", plan.output);
        assert_eq!(plan.rows().name, "rows");
        assert_eq!(Plan::from_json(&plan.to_json()).expect("what is written is read"), plan);
    }

    #[test]
    fn a_plan_of_another_format_is_refused() {
        let error = Plan::from_json(r#"{"format": 3}"#).expect_err("it is of a later version");
        assert!(error.to_string().contains("format 3, this program reads 1 and 2"), "{error}");
    }
}
