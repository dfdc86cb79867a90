//! An app's life on a real API server and Kafka: run, replayed, held by somebody else, and deleted. The test stands in for
//! the controllers of Kubernetes, for the program, and for a stranger.

use crate::stage::{NAMESPACE, PATIENCE, Stage};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use millrace_crds::{AppPhase, ConditionType, StreamApp};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const APP: &str = "inventory";
const PARTITIONS: i64 = 3;
const RECORDS: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_run_replayed_and_deleted() {
    let mut stage = Stage::set().await;
    let town = Town::build(&stage).await;
    town.apply(&town.manifest()).await;
    town.wait("running", |app| reason(app) == "Running").await;
    stage.produce(&town.input, PARTITIONS as i32, RECORDS, |record| record).await;
    let all = PARTITIONS * RECORDS;
    town.has_read(all).await;
    let deployment = town.deployment().await.expect("it runs");
    assert_eq!(deployment.spec.expect("a spec").replicas, Some(PARTITIONS as i32), "one instance a partition");
    let app = town.wait("without lag", |app| status(app).lag_records == Some(0)).await;
    assert_eq!(status(&app).lag.len(), PARTITIONS as usize);

    // Somebody else is in the group: named, waited for, and nothing is moved.
    let stranger = Program::start(&stage, &town, "kcat");
    town.wait("shared with a stranger", |app| status(app).group.is_some_and(|group| !group.foreign_members.is_empty()))
        .await;
    town.patch(json!({"spec": {"replay": {"id": "again", "from": {"earliest": {}}}}})).await;
    let held = town.wait("held", |app| reason(app) == "ForeignMember").await;
    let message = &status(&held).condition(ConditionType::Ready).expect("it is there").message.clone();
    assert!(message.contains("kcat at "), "{message}");
    assert_eq!((status(&held).phase, town.read.load(Ordering::SeqCst)), (Some(AppPhase::Draining), all));
    assert_eq!(town.ledger().await, None, "nothing is written down before the group is empty");
    stranger.stop();

    // An operator ends in the middle, and another one goes on.
    town.wait("resetting", |app| status(app).phase >= Some(AppPhase::Resetting)).await;
    stage.stop_operator().await;
    stage.start_operator(Duration::from_secs(2));
    town.has_read(2 * all).await;
    town.wait("running again", |app| reason(app) == "Running").await;
    let written = town.ledger().await.expect("the offsets are written down");
    let saved: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(saved[0]["saved"][&town.input], json!({"0": RECORDS, "1": RECORDS, "2": RECORDS}));
    assert_eq!(saved[0]["begin"], Value::Null, "what it was for is over");

    // The same id does nothing, and another one goes back to where the group was.
    town.patch(json!({"spec": {"replay": {"id": "again", "from": {"latest": {}, "earliest": null}}}})).await;
    town.patch(json!({"spec": {"replay": {"id": "short", "from": {"shiftBy": -5, "latest": null}}}})).await;
    town.has_read(2 * all + 5 * PARTITIONS).await;
    town.wait("running after that", |app| reason(app) == "Running" && status(app).replays.len() == 2).await;
    town.patch(json!({"spec": {"replay": {"id": "back", "from": {"saved": "again", "shiftBy": null}}}})).await;
    town.wait("back", |app| reason(app) == "Running" && status(app).replays.len() == 3).await;
    assert_eq!(town.read.load(Ordering::SeqCst), 2 * all + 5 * PARTITIONS, "nothing is read again");

    town.patch(json!({"spec": {"replay": {"id": "never", "from": {"saved": "nobody", "earliest": null}}}})).await;
    town.wait("refused", |app| reason(app) == "InvalidSpec").await;
    assert_ne!(town.deployment().await.and_then(|found| found.spec?.replicas), Some(0), "nothing is stopped for it");

    town.patch(json!({"spec": {"deletionPolicy": "Delete", "replay": null}})).await;
    town.apps.delete(APP, &DeleteParams::default()).await.expect("the app is deleted");
    town.is_gone().await;
    assert_eq!(town.ledger().await, None);
}

/// The namespace of the app, and who works in it.
#[derive(Clone)]
struct Town {
    client: Client,
    apps: Api<StreamApp>,
    input: String,
    output: String,
    group: String,
    /// Records that instances have read.
    read: Arc<AtomicI64>,
}

impl Town {
    async fn build(stage: &Stage) -> Town {
        let client = stage.client.clone();
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
        let account = serde_json::from_value(json!({"metadata": {"name": "default"}})).expect("an account");
        // Pods are refused without; where a controller makes it, it is there already.
        let _ = accounts.create(&PostParams::default(), &account).await;
        let unique = &stage.database.name;
        let town = Town {
            apps: Api::namespaced(client.clone(), NAMESPACE),
            client,
            input: format!("orders-{unique}"),
            output: format!("inventory-{unique}"),
            group: format!("inventory-{unique}"),
            read: Arc::default(),
        };
        town.keep_running(stage);
        town
    }

    fn manifest(&self) -> Value {
        json!({
            "apiVersion": "millrace.dev/v1alpha1",
            "kind": "StreamApp",
            "metadata": {"name": APP, "namespace": NAMESPACE},
            "spec": {
                "inputs": [{"topic": self.input, "ensureTopic": {"partitions": PARTITIONS, "replicas": 3}}],
                "outputs": [{"topic": self.output, "ensureTopic": {"partitions": 1, "replicas": 3}}],
                "consumerGroup": self.group,
                "podTemplate": {"spec": {"containers": [{"name": APP, "image": "registry.example.com/inventory:1"}]}},
            },
        })
    }

    async fn apply(&self, manifest: &Value) {
        let params = PatchParams::apply("person").force();
        self.apps.patch(APP, &params, &Patch::Apply(manifest)).await.expect("the API server takes the app");
    }

    async fn patch(&self, patch: Value) {
        let params = PatchParams::default();
        self.apps.patch(APP, &params, &Patch::Merge(patch)).await.expect("the API server takes the patch");
    }

    async fn deployment(&self) -> Option<Deployment> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        deployments.get_opt(&format!("{APP}-app")).await.expect("the API server answers")
    }

    /// What the ConfigMap holds of replays.
    async fn ledger(&self) -> Option<String> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let found = maps.get_opt(&format!("{APP}-replays")).await.expect("the API server answers");
        found?.data?.remove("replays")
    }

    async fn wait(&self, what: &str, wanted: impl Fn(&StreamApp) -> bool) -> StreamApp {
        let begun = Instant::now();
        loop {
            let app = self.apps.get(APP).await.expect("the app is there");
            let current = status(&app).observed_generation == app.metadata.generation;
            if current && wanted(&app) {
                return app;
            }
            let shown = || serde_json::to_string_pretty(&status(&app)).expect("a status");
            assert!(begun.elapsed() < PATIENCE, "the app does not become {what}; its status is {}", shown());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn has_read(&self, records: i64) {
        let begun = Instant::now();
        while self.read.load(Ordering::SeqCst) < records {
            let read = self.read.load(Ordering::SeqCst);
            assert!(begun.elapsed() < PATIENCE, "{read} records were read, and not {records}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.read.load(Ordering::SeqCst), records, "more was read than there was to read");
    }

    async fn is_gone(&self) {
        let begun = Instant::now();
        while self.apps.get_opt(APP).await.expect("the API server answers").is_some() {
            assert!(begun.elapsed() < PATIENCE, "the app does not go");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stands in for the controllers of Kubernetes and for the kubelet: one pod runs while the Deployment asks for any.
    fn keep_running(&self, stage: &Stage) {
        let (client, kafka, town) = (self.client.clone(), stage.kafka.bootstrap_servers(), self.clone());
        tokio::spawn(async move {
            let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
            let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
            let name = format!("{APP}-app-1-0");
            let mut program: Option<Program> = None;
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let Ok(Some(found)) = deployments.get_opt(&format!("{APP}-app")).await else { continue };
                if found.metadata.deletion_timestamp.is_some() {
                    let free = json!({"metadata": {"finalizers": null}});
                    let _ = deployments.patch(&found.name_any(), &PatchParams::default(), &Patch::Merge(free)).await;
                }
                let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
                let wanted = if found.metadata.deletion_timestamp.is_some() { 0 } else { wanted };
                match (&program, wanted) {
                    (None, 1..) => {
                        let labels = json!({"millrace.dev/app": APP, "app.kubernetes.io/managed-by": "millrace"});
                        let pod = json!({
                            "metadata": {"name": name, "labels": labels},
                            "spec": {"containers": [{"name": APP, "image": "inventory"}]},
                        });
                        let pod = serde_json::from_value(pod).expect("a pod");
                        pods.create(&PostParams::default(), &pod).await.expect("the API server takes the pod");
                        program = Some(Program::consume(&kafka, &town, &name));
                    }
                    (Some(_), 0) => {
                        if let Some(program) = program.take() {
                            program.stop();
                        }
                        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
                        let _ = pods.delete(&name, &at_once).await;
                    }
                    (Some(_), _) | (None, _) => {}
                }
                let counted = json!({"status": {
                    "observedGeneration": found.metadata.generation, "replicas": wanted, "readyReplicas": wanted,
                    "updatedReplicas": wanted, "availableReplicas": wanted,
                }});
                let same = found.status.as_ref().is_some_and(|status| {
                    status.observed_generation == found.metadata.generation && status.replicas.unwrap_or(0) == wanted
                });
                if !same {
                    let params = PatchParams::default();
                    let _ = deployments.patch_status(&found.name_any(), &params, &Patch::Merge(counted)).await;
                }
            }
        });
    }
}

/// A consumer that reads, commits, and leaves the group when it is stopped.
struct Program {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Program {
    fn start(stage: &Stage, town: &Town, client_id: &str) -> Program {
        Program::consume(&stage.kafka.bootstrap_servers(), town, client_id)
    }

    fn consume(servers: &str, town: &Town, client_id: &str) -> Program {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", &town.group)
            .set("client.id", client_id)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .create()
            .expect("a consumer");
        let (input, read) = (town.input.clone(), town.read.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            consumer.subscribe(&[&input]).expect("it subscribes");
            while !stopped.load(Ordering::SeqCst) {
                let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) else { continue };
                if record.payload().is_some() && consumer.commit_message(&record, CommitMode::Sync).is_ok() {
                    read.fetch_add(1, Ordering::SeqCst);
                }
            }
            consumer.unsubscribe();
        });
        Program { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("it ends");
    }
}

fn status(app: &StreamApp) -> millrace_crds::StreamAppStatus {
    app.status.clone().unwrap_or_default()
}

fn reason(app: &StreamApp) -> String {
    status(app).condition(ConditionType::Ready).map(|ready| ready.reason.clone()).unwrap_or_default()
}
