//! A view in a real Postgres, and nothing else: actions are done to it, and it is looked at.

use millrace_crds::MaterializedView;
use millrace_operator::{
    view::{
        action::{Action, NewRevision, Owner, Start},
        desired::{Desired, Image},
        known::Known,
        name::{Revision, Target},
        observed::{Catalog, PostgresAddress, ViewRow},
        spec::{Settings, parse},
        tenancy::Tenancy,
    },
    world::{Performed, postgres},
};
use millrace_test_support::{OwnedDatabase, TemporaryPostgres};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

pub struct Stage {
    pub database: OwnedDatabase,
    pub pool: PgPool,
    pub desired: Desired,
}

pub const LIVE: &str = "aaaaaaaa";

pub fn live() -> Revision {
    Revision(LIVE.into())
}

impl Stage {
    /// A database without a catalog.
    pub async fn empty(name: &str) -> Stage {
        Stage::of(view(name)).await
    }

    /// A database without a catalog, for the view of a manifest.
    pub async fn of(manifest: Value) -> Stage {
        let database = TemporaryPostgres::owned_database().await;
        let pool = PgPool::connect(&database.uri).await.expect("the operator connects");
        Stage { database, pool, desired: desired(manifest) }
    }

    /// The catalog, and the view's row in it.
    pub async fn claim(&self) {
        self.perform(Action::MigrateCatalog, None).await;
        self.perform(Action::ClaimView { target: self.target(), from: Owner::NoRow }, None).await;
    }

    /// A view whose target shows something.
    pub async fn new(name: &str) -> Stage {
        let stage = Stage::empty(name).await;
        stage.claim().await;
        stage.execute("CREATE SCHEMA shop").await;
        stage.store(LIVE).await;
        let schema = stage.schema();
        stage.execute(&format!("CREATE VIEW {} AS SELECT id FROM {schema}.rows", stage.target())).await;
        stage.execute(&format!("UPDATE millrace.view SET live_revision = '{LIVE}', shown = 'plain:{LIVE}'")).await;
        stage
    }

    /// An open revision with its rows, of which there are none.
    pub async fn store(&self, revision: &str) {
        let view = &self.desired.identity.name;
        let schema = view.schema(&Revision(revision.into()));
        self.execute(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.rows (id bigint)")).await;
        self.execute(&format!(
            "INSERT INTO millrace.revision
                 (namespace, view, revision, spec_hash, schema_name, plan, plan_format, worker_image)
             VALUES ('shop', '{}', '{revision}', '', '{schema}', '', 1, '')",
            view.name
        ))
        .await;
    }

    pub fn schema(&self) -> String {
        self.desired.identity.name.schema(&live())
    }

    pub fn target(&self) -> Target {
        self.desired.target.clone()
    }

    pub fn address(&self) -> PostgresAddress {
        PostgresAddress {
            host: "127.0.0.1".into(),
            port: self.database.port,
            database: self.database.name.clone(),
            ssl_mode: "disable".into(),
            ca: None,
        }
    }

    pub async fn perform(&self, action: Action, password: Option<&str>) {
        let performed = postgres::perform(&self.pool, &self.desired, &action, password).await;
        assert_eq!(performed, Ok(Performed::Done), "{action}");
    }

    pub async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn observe(&self) -> Catalog {
        match postgres::observe(&self.pool, &self.address(), &self.desired).await {
            Known::Present(catalog) => catalog,
            other => panic!("the catalog is there: {other:?}"),
        }
    }

    pub async fn view(&self) -> ViewRow {
        self.observe().await.view.expect("the view was claimed")
    }

    pub async fn may_read(&self, role: &str) -> bool {
        sqlx::query_scalar("SELECT has_table_privilege($1, $2, 'SELECT')")
            .bind(role)
            .bind(self.target().to_string())
            .fetch_one(&self.pool)
            .await
            .expect("Postgres answers")
    }
}

/// A revision of the query that is asked for, which reads two partitions from their first record.
pub fn new_revision(desired: &Desired, revision: Revision) -> NewRevision {
    let query = desired.query.as_ref().expect("the query compiles");
    let schema = desired.identity.name.schema(&revision);
    let start = |partition| Start {
        topic: "users".into(),
        partition,
        topic_id: "topic-1".into(),
        kafka_cluster_id: "cluster-1".into(),
        offset: 0,
    };
    NewRevision {
        revision,
        spec_hash: query.spec_hash(),
        plan: query.plan.to_json(),
        plan_format: query.plan.format as i32,
        tables: query.plan.tables.iter().flat_map(|table| table.create(&schema)).collect(),
        errors_policy: "DeadLetter".into(),
        errors_stop_above: None,
        pace: None,
        worker_image: "millrace/worker:dev".into(),
        kafka_cluster_id: "cluster-1".into(),
        starts: vec![start(0), start(1)],
        replay_count: (0, 0),
        replay: None,
        concurrent: 4,
    }
}

fn view(name: &str) -> Value {
    json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": name, "namespace": "shop", "uid": "uid-1", "generation": 1},
        "spec": {
            "sources": [{
                "name": "users", "topic": "users", "as": "Stream", "columns": [{"name": "id", "type": "bigint"}],
            }],
            "query": "SELECT id FROM users",
            "target": {"schema": "shop", "name": name, "readers": [format!("{name}_asked"), format!("{name}_nobody")]},
        },
    })
}

fn desired(manifest: Value) -> Desired {
    let view: MaterializedView = serde_json::from_value(manifest).expect("the manifest is a view");
    let settings = Settings {
        image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
        tenancy: Tenancy::default(),
        concurrent_rollouts: 4,
    };
    parse(&view, &settings)
}
