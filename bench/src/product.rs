//! The product: a catalog and a revision as the operator makes them, and worker processes as the Deployment runs them.

use crate::{
    usage::{Cost, peak_memory, tree_seconds},
    views::View,
};
use anyhow::{Context, Result, ensure};
use millrace_connectors::kafka::{ClientName, KafkaSource};
use millrace_contract::{
    Topics,
    catalog::{MIGRATIONS, ROLE_SETTINGS, worker_grants},
    connection::KafkaConnection,
    ident::{literal, quote, revision_schema, view_role},
    plan::PLAN_FORMAT,
};
use millrace_test_support::{OwnedDatabase, TemporaryPostgres};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const NAMESPACE: &str = "shop";
const PASSWORD: &str = "bench";

/// Worker processes of one view; killed when dropped.
pub struct Running {
    workers: Vec<Child>,
    schema: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.kill().ok();
            worker.wait().ok();
        }
    }
}

impl Running {
    pub async fn start(
        database: &OwnedDatabase,
        brokers: &str,
        worker: &Path,
        view: View,
        workers: usize,
    ) -> Result<Running> {
        let (revision, schema) = install(database, brokers, view).await?;
        let spawn = |index: usize| -> Result<Child> {
            let log =
                std::fs::File::create(std::env::temp_dir().join(format!("millrace-bench-{}-{index}.log", view.name)))?;
            Ok(Command::new(worker)
                .env("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", brokers)
                .env("MILLRACE_POSTGRES_HOST", "127.0.0.1")
                .env("MILLRACE_POSTGRES_PORT", database.port.to_string())
                .env("MILLRACE_POSTGRES_DATABASE", &database.name)
                .env("MILLRACE_POSTGRES_USERNAME", role(database, view))
                .env("MILLRACE_POSTGRES_PASSWORD", PASSWORD)
                .env("MILLRACE_NAMESPACE", NAMESPACE)
                .env("MILLRACE_VIEW", view.name)
                .env("MILLRACE_REVISION", &revision)
                .env("MILLRACE_LISTEN", "127.0.0.1:0")
                .env("POD_NAME", format!("bench-{index}"))
                .stdout(Stdio::from(log.try_clone()?))
                .stderr(Stdio::from(log))
                .spawn()?)
        };
        let workers = (0..workers).map(spawn).collect::<Result<Vec<_>>>()?;
        Ok(Running { workers, schema })
    }

    /// The table that holds the revision's rows.
    pub fn rows_table(&self) -> String {
        format!("{}.rows", quote(&self.schema))
    }
}

/// Reads the whole topic into a fresh view and returns what it cost.
pub async fn drain(
    postgres: &TemporaryPostgres,
    brokers: &str,
    worker: &Path,
    view: View,
    workers: usize,
    records: u64,
) -> Result<Cost> {
    let database = postgres.new_owned_database().await;
    let server = postgres.pid().context("Postgres runs")?;
    let mut connection = PgConnection::connect(&database.superuser_uri).await?;
    let before = tree_seconds(server)?;
    let running = Running::start(&database, brokers, worker, view, workers).await?;
    let start = Instant::now();
    let mut done = 0;
    let mut began = None;
    while done < records as i64 {
        ensure!(start.elapsed() < Duration::from_secs(600), "{done} of {records} records after ten minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
        done = sqlx::query_scalar("SELECT coalesce(sum(records), 0)::bigint FROM millrace.progress")
            .fetch_one(&mut connection)
            .await?;
        // The start of processes and the first claim are no throughput.
        if done > 0 && began.is_none() {
            began = Some((Instant::now(), done));
        }
    }
    let (began, first) = began.context("records were applied")?;
    let elapsed = began.elapsed();
    let mut loader = 0.0;
    let mut resident = 0;
    for worker in &running.workers {
        loader += tree_seconds(worker.id())?;
        resident = resident.max(peak_memory(worker.id())?);
    }
    let postgres = tree_seconds(server)? - before;
    connection.close().await?;
    Ok(Cost { records: records - first as u64, elapsed, loader: Some(loader), postgres, resident: Some(resident) })
}

/// Roles belong to the whole server, and every measurement has a database of its own.
fn role(database: &OwnedDatabase, view: View) -> String {
    view_role(&database.name, NAMESPACE, view.name)
}

/// Catalog, role, schema, tables, revision and progress rows: what the operator does for a new view.
async fn install(database: &OwnedDatabase, brokers: &str, view: View) -> Result<(String, String)> {
    let compiled = view.compile()?;
    let revision = compiled.revision(0);
    let schema = revision_schema(NAMESPACE, view.name, &revision);
    let role = role(database, view);
    let mut connection = PgConnection::connect(&database.uri).await?;
    let mut statements: Vec<String> = MIGRATIONS.iter().map(|&sql| sql.to_owned()).collect();
    statements.push(format!("CREATE ROLE {} LOGIN PASSWORD {}", quote(&role), literal(PASSWORD)));
    for (name, value) in ROLE_SETTINGS {
        statements.push(format!("ALTER ROLE {} SET {name} = {}", quote(&role), literal(value)));
    }
    statements.push(format!("CREATE SCHEMA {}", quote(&schema)));
    for table in &compiled.plan.tables {
        statements.extend(table.create(&schema));
    }
    statements.extend(worker_grants(&role, &schema));
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.as_str()))
            .execute(&mut connection)
            .await
            .with_context(|| statement.clone())?;
    }
    sqlx::query(
        "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role, live_revision)
         VALUES ($1, $2, $1, $3, $4, $5)",
    )
    .bind(NAMESPACE)
    .bind(view.name)
    .bind(view.table)
    .bind(&role)
    .bind(&revision)
    .execute(&mut connection)
    .await?;
    sqlx::query(
        "INSERT INTO millrace.revision (namespace, view, revision, spec_hash, schema_name, plan, plan_format, worker_image)
         VALUES ($1, $2, $3, '', $4, $5, $6, '')",
    )
    .bind(NAMESPACE)
    .bind(view.name)
    .bind(&revision)
    .bind(&schema)
    .bind(compiled.plan.to_json())
    .bind(PLAN_FORMAT as i32)
    .execute(&mut connection)
    .await?;
    let (topic_id, cluster_id) = identity(brokers, &compiled.plan.sources[0].topic)?;
    sqlx::query(
        "INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id, kafka_cluster_id,
            start_offset, next_offset, writer)
         SELECT $1, $2, $3, partition, $4, partition, $5, $6, 0, 0, $7 FROM generate_series(0, 5) AS partition",
    )
    .bind(NAMESPACE)
    .bind(view.name)
    .bind(&revision)
    .bind(&compiled.plan.sources[0].topic)
    .bind(topic_id)
    .bind(cluster_id)
    .bind(&role)
    .execute(&mut connection)
    .await?;
    connection.close().await?;
    Ok((revision, schema))
}

/// The topic's id and the cluster's, as Kafka gives them.
fn identity(brokers: &str, topic: &str) -> Result<(String, String)> {
    let connection = KafkaConnection {
        bootstrap_servers: brokers.to_owned(),
        security_protocol: "PLAINTEXT".into(),
        sasl_mechanism: None,
        username: None,
        password: None,
        ca: None,
    };
    let name = ClientName { client_id: "millrace-bench", group_id: "millrace-bench" };
    let source = KafkaSource::new(&connection, &name, Topics::new(vec![topic.to_owned()]), false)?;
    let identity = source.identity(topic, Duration::from_secs(30)).map_err(anyhow::Error::msg)?;
    Ok((identity.topic_id.context("the topic is there")?, identity.cluster_id))
}
