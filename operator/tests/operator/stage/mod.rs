//! A stage for the operator: a real API server, Kafka and Postgres, the operator in this process, and stand-ins for its
//! workers, which move positions and rows in one transaction as workers do. Nothing runs Deployments here.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Secret},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::events::{Recorder, Reporter},
};
use millrace_apiserver::ApiServer;
use millrace_contract::connection::{KafkaConnection, Password, PostgresConnection, SslMode};
use millrace_crds::{ConditionType, MaterializedView};
use millrace_operator::{
    controller::{self, Reconciler},
    telemetry::Metrics,
    view::{desired::Image, rhythm::Rhythm, spec::Settings, tenancy::Tenancy},
    world::{
        connections::{Connections, Own},
        real::RealWorld,
    },
};
use millrace_test_support::{OwnedDatabase, TemporaryKafka, TemporaryPostgres};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinHandle};

pub struct Stage {
    pub server: ApiServer,
    pub client: Client,
    pub kafka: &'static TemporaryKafka,
    pub database: OwnedDatabase,
    /// As the operator's role.
    pub pool: PgPool,
    pub views: Api<MaterializedView>,
    operator: Option<oneshot::Sender<()>>,
}

pub const NAMESPACE: &str = "shop";
/// A machine that does much else besides is slow.
pub const PATIENCE: Duration = Duration::from_secs(180);

impl Stage {
    pub async fn set() -> Stage {
        let (server, kafka, database) =
            tokio::join!(ApiServer::start(), TemporaryKafka::shared(), TemporaryPostgres::owned_database());
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        for (definition, _) in millrace_crds::definition::all() {
            server.create_definition(&definition).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let client = server.client();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).expect("a namespace");
        namespaces.create(&PostParams::default(), &namespace).await.expect("the namespace is made");
        let pool = PgPoolOptions::new().max_connections(12).connect(&database.uri).await.expect("Postgres answers");
        let views = Api::namespaced(client.clone(), NAMESPACE);
        let mut stage = Stage { server, client, kafka, database, pool, views, operator: None };
        stage.start_operator(Duration::from_secs(2));
        stage
    }

    /// Starts an operator that looks at each view at least every `resync`.
    pub fn start_operator(&mut self, resync: Duration) {
        self.start_operator_with(resync, Own::Given(self.postgres_connection()));
    }

    /// The same, with the operator's own Postgres as it is described.
    pub fn start_operator_with(&mut self, resync: Duration, postgres: Own<PostgresConnection>) {
        let reporter = Reporter { controller: "millrace-operator".into(), instance: Some("stage".into()) };
        let kafka = Own::Given(self.kafka_connection());
        let connections = Connections::new(self.client.clone(), kafka, postgres);
        let recorder = Recorder::new(self.client.clone(), reporter);
        let reconciler = Reconciler {
            world: RealWorld::new(self.client.clone(), connections, recorder),
            settings: Settings {
                image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
                tenancy: Tenancy::default(),
                concurrent_rollouts: 4,
            },
            rhythm: Rhythm { resync },
            metrics: Arc::new(Metrics::new().expect("metrics")),
            memories: Default::default(),
            app_memories: Default::default(),
        };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(controller::run(self.client.clone(), reconciler, async move {
            let _ = stopped.await;
        }));
        self.operator = Some(stop);
    }

    pub async fn stop_operator(&mut self) {
        if let Some(stop) = self.operator.take() {
            let _ = stop.send(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    fn kafka_connection(&self) -> KafkaConnection {
        KafkaConnection {
            bootstrap_servers: self.kafka.bootstrap_servers(),
            security_protocol: "PLAINTEXT".into(),
            sasl_mechanism: None,
            username: None,
            password: None,
            ca: None,
        }
    }

    fn postgres_connection(&self) -> PostgresConnection {
        PostgresConnection {
            host: "127.0.0.1".into(),
            port: self.database.port,
            database: self.database.name.clone(),
            username: self.database.role.clone(),
            password: Password(self.database.password.clone()),
            ssl_mode: SslMode::Disable,
            ca: None,
        }
    }

    pub async fn apply(&self, manifest: Value) {
        let name = manifest["metadata"]["name"].as_str().expect("a name").to_owned();
        self.views
            .patch(&name, &PatchParams::apply("person").force(), &Patch::Apply(manifest))
            .await
            .expect("the API server takes the view");
    }

    pub async fn patch(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        self.views.patch(name, &params, &Patch::Merge(patch)).await.expect("the API server takes the patch");
    }

    pub async fn delete(&self, name: &str) {
        self.views.delete(name, &DeleteParams::default()).await.expect("the API server deletes the view");
    }

    pub async fn get(&self, name: &str) -> MaterializedView {
        self.views.get(name).await.expect("the view is there")
    }

    /// Waits until the view is as `wanted`, and gives it.
    pub async fn wait(&self, name: &str, what: &str, wanted: impl Fn(&MaterializedView) -> bool) -> MaterializedView {
        let begun = Instant::now();
        loop {
            let view = self.views.get_opt(name).await.expect("the API server answers");
            if let Some(view) = view.as_ref().filter(|view| wanted(view)) {
                return view.clone();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{name} does not become {what}; its status is {}",
                serde_json::to_string_pretty(&view.and_then(|view| view.status)).expect("a status")
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the view is Ready at its present generation.
    pub async fn ready(&self, name: &str) -> MaterializedView {
        self.wait(name, "ready", |view| is(view, ConditionType::Ready, "True")).await
    }

    /// Waits until the condition has this reason, and gives its message.
    pub async fn reason(&self, name: &str, kind: ConditionType, reason: &str) -> String {
        let view = self
            .wait(name, reason, |view| {
                condition(view, kind).is_some_and(|condition| condition.reason == reason && current(view))
            })
            .await;
        condition(&view, kind).expect("it was there").message.clone()
    }

    pub async fn deployment(&self, name: &str) -> Option<Deployment> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        deployments.get_opt(name).await.expect("the API server answers")
    }

    pub async fn deployments(&self) -> Vec<String> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut names: Vec<String> = deployments
            .list(&Default::default())
            .await
            .expect("the API server answers")
            .into_iter()
            .filter(|deployment| deployment.metadata.deletion_timestamp.is_none())
            .map(|deployment| deployment.name_any())
            .collect();
        names.sort();
        names
    }

    pub async fn secret(&self, name: &str) -> Option<Secret> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        secrets.get_opt(name).await.expect("the API server answers")
    }

    /// Nothing collects garbage here: what a controller of Kubernetes would do.
    pub async fn collect_deployments(&self) {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        for deployment in deployments.list(&Default::default()).await.expect("the API server answers") {
            if deployment.metadata.deletion_timestamp.is_some() {
                let free = json!({"metadata": {"finalizers": null}});
                let _ = deployments.patch(&deployment.name_any(), &PatchParams::default(), &Patch::Merge(free)).await;
            }
        }
    }

    /// Writes as many records to each of the topic's partitions, the n-th of the time that `time` gives for n.
    pub async fn produce(&self, topic: &str, partitions: i32, records: i64, time: impl Fn(i64) -> i64) {
        let producer: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", self.kafka.bootstrap_servers()).create().expect("a producer");
        for record in 0..records {
            for partition in 0..partitions {
                let value = format!(r#"{{"user":{{"id":{partition},"name":"{record}"}}}}"#);
                let key = partition.to_string();
                let written = FutureRecord::to(topic).partition(partition).key(&key).payload(&value);
                let sent = producer.send(written.timestamp(time(record)), Duration::from_secs(10));
                sent.await.expect("the record is written");
            }
        }
    }

    /// A stand-in for workers: every revision that is worked on reads each partition up to this offset.
    pub fn read_up_to(&self, offset: i64) -> JoinHandle<()> {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            loop {
                let moved = "UPDATE millrace.progress p SET next_offset = $1, lease_until = now(), committed_at = now()
                             FROM millrace.revision r
                             WHERE r.revision = p.revision AND r.state IN ('open', 'standby') AND p.next_offset < $1";
                // Before the first apply there is no catalog.
                let _ = sqlx::query(moved).bind(offset).execute(&pool).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    }

    /// One text from a query without parameters.
    pub async fn text(&self, sql: &'static str) -> Option<String> {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

pub fn current(view: &MaterializedView) -> bool {
    let observed = view.status.as_ref().and_then(|status| status.observed_generation);
    observed == view.metadata.generation
}

pub fn condition(
    view: &MaterializedView,
    kind: ConditionType,
) -> Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    view.status.as_ref()?.condition(kind)
}

pub fn is(view: &MaterializedView, kind: ConditionType, status: &str) -> bool {
    current(view) && condition(view, kind).is_some_and(|condition| condition.status == status)
}

pub fn live(view: &MaterializedView) -> String {
    view.status.as_ref().and_then(|status| status.live_revision.clone()).expect("a revision is live")
}

/// A view of users over `topic`.
pub fn users_view(name: &str, topic: &str) -> Value {
    json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "sources": [{
                "name": "users", "topic": topic, "as": "Table", "keyFormat": "Text", "key": ["id"],
                "columns": [
                    {"name": "id", "type": "bigint", "path": "user.id"},
                    {"name": "name", "type": "text", "path": "user.name"},
                ],
                "ensureTopic": {"partitions": 3, "replicas": 3, "config": {"min.insync.replicas": "2"}},
            }],
            "query": "SELECT id, name FROM users",
            "target": {"schema": NAMESPACE, "name": name.replace('-', "_")},
            "rollout": {"retainPrevious": "0s"},
        },
    })
}
