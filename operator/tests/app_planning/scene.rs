//! An app and its world as values: what a person wrote, what was seen, and the plan that follows, as text.

use expect_test::Expect;
use millrace_crds::{AppReplayStatus, OffsetsByTopic, Reason, StreamApp, StreamAppStatus};
use millrace_operator::{
    app::{
        action::Action,
        desired::Desired,
        forecast::{forecast, sentences},
        ledger,
        observed::{Children, DeploymentState, Group, Ledger, Member, Observed, Pod, Template},
        plan::{Plan, plan},
        spec::parse,
        status::status,
    },
    view::{
        desired::Image,
        known::Known,
        moment::Moment,
        observed::{Kafka, KafkaAddress, Offsets, Topic},
        spec::Settings,
        status::Outcome,
        tenancy::Tenancy,
        trouble::Trouble,
    },
};
use serde_yaml::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

pub const INPUT: &str = "order-events";
pub const OUTPUT: &str = "inventory-events";
/// The first and the end offset of each partition of the input.
pub const EARLIEST: i64 = 100;
pub const END: i64 = 1_000;
/// Where the group is.
pub const COMMITTED: i64 = 900;

pub const REPLAY: &str = "spec: {replay: {id: again}}";
pub const SECOND: Duration = Duration::from_secs(1);

const MANIFEST: &str = r#"
apiVersion: millrace.dev/v1alpha1
kind: StreamApp
metadata:
  name: inventory
  namespace: shop
  uid: uid-1
  generation: 1
  creationTimestamp: "2023-11-14T00:00:00Z"
  finalizers: [millrace.dev/app]
spec:
  inputs:
  - {topic: order-events, ensureTopic: {partitions: 2, replicas: 3, config: {min.insync.replicas: "2"}}}
  outputs:
  - {topic: inventory-events, ensureTopic: {partitions: 2, replicas: 3}}
  consumerGroup: inventory
  podTemplate:
    spec:
      containers: [{name: inventory, image: "registry.example.com/inventory:1.0"}]
"#;

pub struct Scene {
    manifest: Value,
    pub observed: Observed,
    pub now: Moment,
    others: Vec<StreamApp>,
}

/// The manifest was just applied, and nothing else is there.
pub fn nothing() -> Scene {
    let absent = [INPUT, OUTPUT].map(|topic| (topic.to_owned(), Known::Absent));
    Scene {
        manifest: serde_yaml::from_str(MANIFEST).expect("YAML"),
        observed: Observed {
            kafka_address: Known::Present(kafka_address()),
            kafka: Known::Present(Kafka { cluster_id: "cluster-1".into(), by_topic: absent.into() }),
            group: Known::Present(Group { state: "Dead".into(), ..Group::default() }),
            internal: Known::Absent,
            children: Known::Present(Children {
                template: Some(Template::Accepted { changes: true }),
                ..Children::default()
            }),
        },
        now: Moment(1_700_000_000_000),
        others: Vec::new(),
    }
}

/// The topics are there, and no instance is.
pub fn prepared() -> Scene {
    let mut scene = nothing();
    for (name, config) in [(INPUT, vec![("min.insync.replicas", "2")]), (OUTPUT, vec![])] {
        let offsets = Offsets { earliest: EARLIEST, end: END };
        let topic = Topic {
            id: format!("id of {name}"),
            partitions: BTreeMap::from([(0, offsets), (1, offsets)]),
            since: BTreeMap::new(),
            config: config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            keeps_tombstones: None,
        };
        kafka(&mut scene.observed).by_topic.insert(name.into(), Known::Present(topic));
    }
    scene
}

/// Two instances run, and are in the group; nothing is left to do.
pub fn running() -> Scene {
    prepared().with(|seen| {
        let children = children(seen);
        children.template = Some(Template::Accepted { changes: false });
        children.deployment = Some(deployment(2));
        for number in 0..2 {
            children.pods.insert(
                format!("inventory-app-1-{number}"),
                Pod { address: Some(format!("10.0.0.{number}")), ending: false },
            );
        }
        let group = group(seen);
        group.state = "Stable".into();
        group.members = (0..2).map(|number| member(&format!("inventory-app-1-{number}"))).collect();
        group.committed = offsets(COMMITTED);
    })
}

/// Nothing of it runs, and nobody is in the group.
pub fn stopped() -> Scene {
    running().with(stop)
}

pub fn stop(seen: &mut Observed) {
    let children = children(seen);
    children.deployment = Some(deployment(0));
    children.pods.clear();
    let group = group(seen);
    group.state = "Empty".into();
    group.members.clear();
}

pub fn kafka_address() -> KafkaAddress {
    KafkaAddress {
        bootstrap_servers: "kafka:9092".into(),
        security_protocol: "PLAINTEXT".into(),
        login: false,
        ca: None,
        digest: "k".into(),
    }
}

pub fn deployment(replicas: i32) -> DeploymentState {
    DeploymentState {
        uid: "deployment".into(),
        resource_version: "1".into(),
        ours: true,
        wanted: replicas,
        replicas,
        ready: replicas,
        rolled_out: true,
        counted: true,
        deleting: false,
    }
}

pub fn member(client_id: &str) -> Member {
    Member { client_id: client_id.into(), host: "10.9.9.9".into(), partitions: 1 }
}

/// The same offset in both partitions of the input.
pub fn offsets(offset: i64) -> OffsetsByTopic {
    BTreeMap::from([(INPUT.to_owned(), BTreeMap::from([(0, offset), (1, offset)]))])
}

pub fn kafka(observed: &mut Observed) -> &mut Kafka {
    let Known::Present(kafka) = &mut observed.kafka else { panic!("Kafka is there") };
    kafka
}

pub fn input(observed: &mut Observed) -> &mut Topic {
    let Some(Known::Present(topic)) = kafka(observed).by_topic.get_mut(INPUT) else { panic!("the topic is there") };
    topic
}

pub fn group(observed: &mut Observed) -> &mut Group {
    let Known::Present(group) = &mut observed.group else { panic!("the group is seen") };
    group
}

pub fn children(observed: &mut Observed) -> &mut Children {
    let Known::Present(children) = &mut observed.children else { panic!("the API server answers") };
    children
}

pub fn internal(observed: &mut Observed, topics: &[&str]) {
    observed.internal = Known::Present(topics.iter().map(|topic| (*topic).to_owned()).collect::<BTreeSet<_>>());
}

pub fn kafka_is_gone() -> Trouble {
    Trouble::sources(Reason::KafkaUnreachable, "no broker answers")
}

impl Scene {
    /// The person writes `yaml` into the manifest.
    pub fn ask(mut self, yaml: &str) -> Scene {
        merge(&mut self.manifest, serde_yaml::from_str(yaml).expect("YAML"));
        self
    }

    /// Another app is there, with what `yaml` says of it.
    pub fn beside(mut self, yaml: &str) -> Scene {
        let mut other = serde_yaml::from_str(MANIFEST).expect("YAML");
        merge(&mut other, serde_yaml::from_str(yaml).expect("YAML"));
        self.others.push(serde_yaml::from_value(other).expect("the manifest is an app"));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Observed)) -> Scene {
        change(&mut self.observed);
        self
    }

    pub fn later(mut self, after: Duration) -> Scene {
        self.now = self.now + after;
        self
    }

    pub fn app(&self) -> StreamApp {
        serde_yaml::from_value(self.manifest.clone()).expect("the manifest is an app")
    }

    pub fn desired(&self) -> Desired {
        let settings = Settings {
            image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
            tenancy: Tenancy::default(),
            concurrent_rollouts: 4,
        };
        parse(&self.app(), &settings, &self.others)
    }

    pub fn plan(&self) -> Plan {
        plan(&self.desired(), &self.observed, self.now)
    }

    /// The status after a round that ended so.
    pub fn report(&self, outcome: &Outcome, previous: &StreamAppStatus) -> StreamAppStatus {
        status(&self.desired(), &self.observed, &self.plan(), outcome, previous, self.now)
    }

    /// What is planned is done in the ledger and in Kafka's offsets, and the status is written.
    pub fn done(mut self) -> Scene {
        let plan = self.plan();
        for action in &plan.actions {
            match action {
                Action::WriteLedger { replays, .. } => {
                    let before = children(&mut self.observed).ledger.take();
                    let version = before.map_or(0, |before| before.resource_version.parse().expect("a number"));
                    children(&mut self.observed).ledger = Some(Ledger {
                        resource_version: (version + 1).to_string(),
                        ours: true,
                        group: "inventory".into(),
                        replays: Ok(replays.clone()),
                    });
                }
                Action::AlterOffsets { begin, .. } => {
                    for (topic, partitions) in begin {
                        group(&mut self.observed).committed.entry(topic.clone()).or_default().extend(partitions);
                    }
                }
                Action::DeleteInternalTopics { .. } => internal(&mut self.observed, &[]),
                Action::Scale { replicas, .. } | Action::ApplyDeployment { replicas, .. } => {
                    let children = children(&mut self.observed);
                    children.deployment = Some(DeploymentState { ready: 0, ..deployment(*replicas) });
                    children.template = Some(Template::Accepted { changes: false });
                }
                Action::AddFinalizer
                | Action::ChangeTopic(_)
                | Action::DeleteDeployment { .. }
                | Action::DeleteGroup
                | Action::DeleteLedger { .. }
                | Action::RemoveFinalizer { .. } => panic!("{action} is not played here"),
            }
        }
        self.remembered()
    }

    /// The status is written.
    pub fn remembered(mut self) -> Scene {
        let written = self.observed.children.present().and_then(|children| children.ledger.as_ref());
        let replays = ledger::to_status(ledger::remembered(&self.desired(), written));
        let status = StreamAppStatus { replays, ..StreamAppStatus::default() };
        self.manifest["status"] = serde_yaml::to_value(status).expect("a status is YAML");
        self
    }

    /// The replays that are written down, newest last.
    pub fn replays(&self) -> Vec<AppReplayStatus> {
        let written = self.observed.children.present().and_then(|children| children.ledger.as_ref());
        ledger::remembered(&self.desired(), written)
    }

    /// Plans, and compares what the plan says: its phase, actions, what it waits for and what is wrong.
    pub fn check(&self, expected: &Expect) {
        let plan = self.plan();
        let mut text = String::new();
        // Writing to a String does not fail.
        if let Some(phase) = &plan.phase {
            let _ = writeln!(text, "{phase:?}");
        }
        for action in &plan.actions {
            let _ = writeln!(text, "- {action}");
        }
        if let Some(what) = &plan.waiting_on {
            let _ = writeln!(text, "waits for {what}");
        }
        for trouble in &plan.troubles {
            let _ = writeln!(text, "! {trouble}");
        }
        expected.assert_eq(&text);
    }

    /// Asks what would become of the manifest, and compares the sentences.
    pub fn asked(&self, expected: &Expect) {
        let text = match forecast(&self.desired(), &self.observed) {
            Ok(forecast) => sentences(&self.desired(), &forecast, &self.replays()).join("\n"),
            Err(unseen) => format!("not answered: {unseen}"),
        };
        expected.assert_eq(&format!("{text}\n"));
    }
}

/// Writes `from` into it: the fields and items that it names, and no others.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Mapping(into), Value::Mapping(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
