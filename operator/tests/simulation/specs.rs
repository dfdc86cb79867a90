//! What people ask for in a history: a few manifests, compiled once.

use millrace_crds::MaterializedView;
use millrace_operator::view::{
    desired::{Desired, Gates, Image},
    spec::{Settings, parse},
    tenancy::Tenancy,
};
use millrace_sql::Assertion;
use serde_json::json;
use std::time::Duration;

pub const TOPIC: &str = "user-events";
pub const UID: &str = "uid-1";

/// The same view with different queries; the last one does not compile.
pub struct Specs {
    pub valid: Vec<Desired>,
    pub invalid: Desired,
    /// It lacks a column that the others have.
    pub breaking: Desired,
    /// Gates that a rollout may have, besides a comparison: none, an assertion, all of them.
    pub gates: [Gates; 3],
}

impl Specs {
    pub fn compile() -> Specs {
        Specs {
            valid: [
                "SELECT id, name AS 이름 FROM users",
                "SELECT id, name AS 이름 FROM users WHERE id > 10",
                "SELECT id, name AS 이름, name AS 큰이름 FROM users",
            ]
            .map(desired)
            .into(),
            invalid: desired("SELECT nothing FROM nowhere"),
            breaking: desired("SELECT id FROM users"),
            gates: [
                Gates::default(),
                Gates { assertions: assertions(&["SELECT count(*) > 0 FROM {next}"]), ..Gates::default() },
                Gates {
                    max_behind_live: Some(100),
                    soak: Duration::from_secs(5),
                    assertions: assertions(&[
                        "SELECT count(*) > 0 FROM {next}",
                        "SELECT (SELECT count(*) FROM {next}) >= (SELECT count(*) FROM {live})",
                    ]),
                    comparison: None,
                },
            ],
        }
    }
}

fn assertions(texts: &[&str]) -> Vec<Assertion> {
    texts.iter().map(|text| Assertion::parse("assertions", text).expect("it is accepted")).collect()
}

fn desired(query: &str) -> Desired {
    let view: MaterializedView = serde_json::from_value(json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": "user-view", "namespace": "shop", "uid": UID, "generation": 1},
        "spec": {
            "sources": [{
                "name": "users", "topic": TOPIC, "as": "Table", "keyFormat": "Text", "key": ["id"],
                "columns": [
                    {"name": "id", "type": "bigint", "path": "user.id"},
                    {"name": "name", "type": "text", "path": "user.name"},
                ],
                "ensureTopic": {"partitions": 2, "replicas": 3, "config": {"min.insync.replicas": "2"}},
            }],
            "query": query,
            "target": {"schema": "shop", "name": "user_view", "indexes": [["id"]], "readers": ["dashboards"]},
            "rollout": {"timeout": "2h", "retainPrevious": "10m", "maxLiveFreshness": "2s"},
        },
    }))
    .expect("the manifest is a view");
    let settings = Settings {
        image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
        tenancy: Tenancy::default(),
        concurrent_rollouts: 4,
    };
    parse(&view, &settings)
}
