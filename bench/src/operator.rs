//! What the operator costs: many views at rest, one that changes, and its own start.

use crate::usage::peak_memory;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use millrace_apiserver::ApiServer;
use millrace_crds::{ConditionType, MaterializedView};
use millrace_test_support::{OwnedDatabase, TemporaryKafka, TemporaryPostgres};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const NAMESPACE: &str = "shop";
/// Views whose query is changed, one after the other.
const CHANGED: usize = 20;
const LIMIT: Duration = Duration::from_secs(900);

/// Kills the operator when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prints what was measured, line by line.
pub async fn measure(program: &Path, kafka: &TemporaryKafka, postgres: &TemporaryPostgres, views: usize) -> Result<()> {
    ensure!(views >= CHANGED, "--views is {views}, but {CHANGED} of them are changed; write {CHANGED} or more");
    let server = ApiServer::start().await?;
    for (definition, _) in millrace_crds::definition::all() {
        server.create_definition(&definition).await?;
    }
    let (client, database) = (server.client(), postgres.new_owned_database().await);
    prepare(&client, &database).await?;
    kafka.create_topic("user-events", 1, &[("min.insync.replicas", "2")]).await;
    let all: Api<MaterializedView> = Api::namespaced(client.clone(), NAMESPACE);
    let begun = Instant::now();
    let operator = start(program, &server, kafka)?;
    for number in 0..views {
        all.create(&PostParams::default(), &view(number)?).await.context("a view is created")?;
    }
    wait_ready(&all, views).await?;
    println!("{views} views: made and live in {:.0} s", begun.elapsed().as_secs_f64());

    // A change is acted on when a revision of it is in the catalog.
    let mut connection = PgConnection::connect(&database.uri).await?;
    let mut waits = Vec::new();
    for number in 0..CHANGED {
        let query = json!({"spec": {"query": "SELECT id, name FROM users WHERE id > 7"}});
        let begun = Instant::now();
        all.patch(&format!("view-{number}"), &PatchParams::default(), &Patch::Merge(query)).await?;
        let made = "SELECT count(*) FROM millrace.revision WHERE view = $1";
        loop {
            let revisions: i64 =
                sqlx::query_scalar(made).bind(format!("view-{number}")).fetch_one(&mut connection).await?;
            if revisions > 1 {
                break;
            }
            ensure!(begun.elapsed() < LIMIT, "view-{number} is not built anew");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waits.push(begun.elapsed());
    }
    waits.sort();
    println!(
        "a change of a query is acted on after: p50 {:?}, worst {:?}",
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    wait_ready(&all, views).await?;

    tokio::time::sleep(Duration::from_secs(60)).await;
    let (writes, seconds) = (server.writes().len(), 90);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let written = server.writes()[writes..].iter().filter(|write| write.resource != "leases").count();
    println!("at rest: {written} writes in {seconds} s besides the Lease's renewal");
    println!("the operator's memory: {} MB at most", peak_memory(operator.0.id())? / 1_000_000);

    drop(operator);
    let begun = Instant::now();
    let name = "view-0";
    all.patch(
        name,
        &PatchParams::default(),
        &Patch::Merge(json!({"spec": {"query": "SELECT id, name FROM users WHERE id > 8"}})),
    )
    .await?;
    let again = start(program, &server, kafka)?;
    wait_ready(&all, views).await?;
    println!("after a restart a change made meanwhile is live after {:.1} s", begun.elapsed().as_secs_f64());
    drop(again);
    Ok(())
}

fn start(program: &Path, server: &ApiServer, kafka: &TemporaryKafka) -> Result<Running> {
    let child = Command::new(program)
        .env("KUBECONFIG", server.kubeconfig())
        .env("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
        .env("MILLRACE_POSTGRES_SECRET", "postgres")
        .env("MILLRACE_WORKER_IMAGE", "millrace/worker:bench")
        .env("MILLRACE_LISTEN", "127.0.0.1:0")
        .env("MILLRACE_LOG", "warn")
        .env("POD_NAME", "bench")
        .env("POD_NAMESPACE", NAMESPACE)
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(Running(child))
}

async fn prepare(client: &Client, database: &OwnedDatabase) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}}))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let secret = serde_json::from_value(json!({
        "metadata": {"name": "postgres"},
        "stringData": {
            "host": "127.0.0.1", "port": database.port.to_string(), "dbname": database.name,
            "username": database.role, "password": database.password,
        },
    }))?;
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(())
}

fn view(number: usize) -> Result<MaterializedView> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": format!("view-{number}"), "namespace": NAMESPACE},
        "spec": {
            "sources": [{
                "name": "users", "topic": "user-events", "as": "Table", "keyFormat": "Text", "key": ["id"],
                "columns": [{"name": "id", "type": "bigint"}, {"name": "name", "type": "text"}],
            }],
            "query": "SELECT id, name FROM users",
            "target": {"schema": NAMESPACE, "name": format!("view_{number}")},
            "rollout": {"retainPrevious": "0s"},
        },
    }))?)
}

/// Until every view is Ready at its generation.
async fn wait_ready(all: &Api<MaterializedView>, views: usize) -> Result<()> {
    let begun = Instant::now();
    loop {
        let list = all.list(&ListParams::default()).await?;
        let ready = list.iter().filter(|view| {
            let condition = view.status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
            condition.is_some_and(|condition| {
                condition.status == "True" && condition.observed_generation == view.metadata.generation
            })
        });
        let ready = ready.count();
        if ready == views {
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "{ready} of {views} views are ready after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
