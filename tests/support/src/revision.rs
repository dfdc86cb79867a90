//! A revision in a real catalog, as the operator leaves it to the workers: rows, role, grants, schema, tables.

use millrace_contract::{
    Plan,
    catalog::{MIGRATIONS, ROLE_SETTINGS, worker_grants},
    connection::{Password, PostgresConnection, SslMode},
    ident::{quote, revision_schema, view_role},
    plan::PLAN_FORMAT,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::OwnedDatabase;

/// What a revision reads.
#[derive(Clone, Debug)]
pub struct TopicOfRevision {
    pub cluster_id: String,
    pub topic_id: String,
    /// Of every topic.
    pub partitions: i32,
    /// The ids of further topics, by name.
    pub further: Vec<(String, String)>,
}

impl TopicOfRevision {
    fn id_of(&self, topic: &str) -> &str {
        self.further.iter().find(|(name, _)| name == topic).map_or(&self.topic_id, |(_, id)| id)
    }
}

/// A view with one revision in a database of its own. It has no live revision until a test makes it live.
#[derive(Clone, Debug)]
pub struct StoredRevision {
    pub database: OwnedDatabase,
    pub namespace: String,
    pub view: String,
    pub revision: String,
    pub role: String,
    pub schema: String,
    pub plan: Plan,
}

const PASSWORD: &str = "worker-test";

impl StoredRevision {
    pub async fn create(database: OwnedDatabase, plan: Plan, topic: &TopicOfRevision) -> StoredRevision {
        let (namespace, view, revision) = ("shop".to_owned(), "user-view".to_owned(), "0123abcd".to_owned());
        // Tests share a server.
        let role = view_role(&database.name, &namespace, &view);
        let schema = revision_schema(&namespace, &view, &revision);
        let stored = StoredRevision { database, namespace, view, revision, role, schema, plan };
        let mut owner = stored.owner().await;
        for migration in MIGRATIONS {
            run(&mut owner, migration).await;
        }
        run(&mut owner, &format!("CREATE ROLE {} LOGIN PASSWORD '{PASSWORD}'", quote(&stored.role))).await;
        for (setting, value) in ROLE_SETTINGS {
            run(&mut owner, &format!("ALTER ROLE {} SET {setting} = '{value}'", quote(&stored.role))).await;
        }
        sqlx::query(
            "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role, kafka_cluster_id)
             VALUES ($1, $2, $1, 'user_view', $3, $4)",
        )
        .bind(&stored.namespace)
        .bind(&stored.view)
        .bind(&stored.role)
        .bind(&topic.cluster_id)
        .execute(&mut owner)
        .await
        .expect("the view is stored");
        sqlx::query(
            "INSERT INTO millrace.revision
                 (namespace, view, revision, spec_hash, schema_name, plan, plan_format, worker_image)
             VALUES ($1, $2, $3, 'test', $4, $5, $6, 'test')",
        )
        .bind(&stored.namespace)
        .bind(&stored.view)
        .bind(&stored.revision)
        .bind(&stored.schema)
        .bind(stored.plan.to_json())
        .bind(PLAN_FORMAT as i32)
        .execute(&mut owner)
        .await
        .expect("the revision is stored");
        run(&mut owner, &format!("CREATE SCHEMA {}", quote(&stored.schema))).await;
        for table in &stored.plan.tables {
            for statement in table.create(&stored.schema) {
                run(&mut owner, &statement).await;
            }
        }
        for grant in worker_grants(&stored.role, &stored.schema) {
            run(&mut owner, &grant).await;
        }
        stored.add_partitions(topic, 0).await;
        stored
    }

    /// Adds progress rows from partition `first` on, as the operator does when a topic has grown.
    pub async fn add_partitions(&self, topic: &TopicOfRevision, first: i32) {
        let mut owner = self.owner().await;
        if first > 0 {
            run(&mut owner, "UPDATE millrace.progress SET shared = true").await;
        }
        for source in &self.plan.sources {
            sqlx::query(
                "INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id,
                                                kafka_cluster_id, start_offset, next_offset, shared, writer)
                 SELECT $1, $2, $3, p, $4, p, $5, $6, 0, 0, $9, $10
                 FROM generate_series($7::integer, $8::integer - 1) AS p",
            )
            .bind(&self.namespace)
            .bind(&self.view)
            .bind(&self.revision)
            .bind(&source.topic)
            .bind(topic.id_of(&source.topic))
            .bind(&topic.cluster_id)
            .bind(first)
            .bind(topic.partitions)
            .bind(first > 0)
            .bind(&self.role)
            .execute(&mut owner)
            .await
            .expect("the progress rows are stored");
        }
    }

    /// A connection as the catalog's owner, whom no row-level security binds.
    pub async fn owner(&self) -> PgConnection {
        PgConnection::connect(&self.database.uri).await.expect("the owner connects")
    }

    /// How a worker of the view connects.
    pub fn connection(&self) -> PostgresConnection {
        PostgresConnection {
            host: "127.0.0.1".into(),
            port: self.database.port,
            database: self.database.name.clone(),
            username: self.role.clone(),
            password: Password(PASSWORD.into()),
            ssl_mode: SslMode::Disable,
            ca: None,
        }
    }

    /// Makes the revision the one that readers see.
    pub async fn go_live(&self) {
        let mut owner = self.owner().await;
        let sql = format!("UPDATE millrace.view SET live_revision = '{}'", self.revision);
        run(&mut owner, &sql).await;
    }

    /// The result, as readers see it: every column as text, rows in order.
    pub async fn rows(&self) -> Vec<Vec<Option<String>>> {
        let columns: Vec<String> =
            self.plan.result.columns.iter().map(|column| format!("{}::text", quote(&column.name))).collect();
        let sql = format!(
            "SELECT ARRAY[{}]::text[] FROM ({}) AS result",
            columns.join(", "),
            self.plan.select(&self.schema, None)
        );
        let mut owner = self.owner().await;
        let mut rows: Vec<Vec<Option<String>>> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut owner).await.expect("the result can be read");
        rows.sort();
        rows
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}
