//! A view and its world as values: what a person wrote, what was seen, and the plan that follows, as text.

pub use crate::seen::{catalog, children, kafka, kafka_is_gone, live, next, only, postgres_is_gone, topic, view};
use crate::{
    addresses::{kafka_address, postgres_address},
    manifest::{MANIFEST, merge},
};
use expect_test::Expect;
use millrace_contract::{catalog::CATALOG_VERSION, revision::RevisionState};
use millrace_crds::{MaterializedView, MaterializedViewStatus};
use millrace_operator::view::{
    desired::{Desired, Image},
    known::Known,
    moment::Moment,
    name::Revision,
    observed::{
        AcceptedReplay, Built, Catalog, Children, DeploymentState, Kafka, Observed, Offsets, Progress, RevisionRow,
        TargetState, Topic, ViewRow, WorkerSecret,
    },
    plan::{Plan, plan},
    question::answer,
    replay::new_replay,
    shown::{Shown, columns},
    spec::{Settings, parse},
    status::{Outcome, status},
    tenancy::Tenancy,
    verification::copy_of,
    workers::{deployment, replicas},
};
use serde_yaml::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

pub const TOPIC: &str = "user-events";
/// The end of each partition.
pub const END: i64 = 50_000;
pub const MINUTE: Duration = Duration::from_secs(60);

pub const OTHER_QUERY: &str = "spec: {query: 'SELECT id, name FROM users WHERE id > 10'}";
pub const REPLAY: &str = "spec: {replay: {id: again}}";
pub const PAUSE: &str = r#"metadata: {annotations: {millrace.dev/pause-reconcile: "true"}}"#;

const PASSWORD: &str = "digest of the password";
const ROLE: &str = "mr_role";

pub struct Scene {
    manifest: Value,
    pub observed: Observed,
    now: Moment,
    /// The revisions that were begun, in their order.
    begun: Vec<Revision>,
}

/// The manifest was just applied, and nothing else is there.
pub fn nothing() -> Scene {
    Scene {
        manifest: serde_yaml::from_str(MANIFEST).expect("YAML"),
        observed: Observed {
            kafka_address: Known::Present(kafka_address()),
            kafka: Known::Present(Kafka {
                cluster_id: "cluster-1".into(),
                by_topic: BTreeMap::from([(TOPIC.to_owned(), Known::Absent)]),
            }),
            catalog: Known::Absent,
            children: Known::Present(Children { secret: None, deployments: BTreeMap::new(), failing: None }),
        },
        now: Moment(1_700_000_000_000),
        begun: Vec::new(),
    }
}

/// Topic, catalog, the view's row and its login are there; no revision is.
pub fn prepared() -> Scene {
    let mut scene = nothing();
    let desired = scene.desired();
    let offsets = Offsets { earliest: 0, end: END };
    let topic = Topic {
        id: "topic-1".into(),
        partitions: BTreeMap::from([(0, offsets), (1, offsets)]),
        since: BTreeMap::new(),
        config: BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]),
        keeps_tombstones: None,
    };
    kafka(&mut scene.observed).by_topic.insert(TOPIC.into(), Known::Present(topic));
    scene.observed.catalog = Known::Present(Catalog {
        version: CATALOG_VERSION,
        id: "catalog-1".into(),
        address: postgres_address(),
        target: TargetState::Free,
        target_columns: Vec::new(),
        dependants: BTreeMap::new(),
        granted_readers: BTreeSet::new(),
        missing_readers: BTreeSet::new(),
        view: Some(ViewRow {
            uid: Some("uid-1".into()),
            target: desired.target.clone(),
            role: ROLE.into(),
            password_digest: Some(PASSWORD.into()),
            ..ViewRow::default()
        }),
    });
    children(&mut scene.observed).secret = Some(WorkerSecret {
        address: postgres_address(),
        username: ROLE.into(),
        password_digest: PASSWORD.into(),
        kafka_ca: None,
        catalog_id: Some("catalog-1".into()),
    });
    scene
}

/// The view's first revision is being built: begun a minute ago, with everything still to read.
pub fn building() -> Scene {
    prepared().begun(0)
}

/// The view's first revision is live and has read everything, in 20 seconds; nothing is left to do.
pub fn steady() -> Scene {
    let mut scene = prepared().begun(END);
    let first = scene.goal();
    let catalog = catalog(&mut scene.observed);
    catalog.target = TargetState::Ours;
    catalog.granted_readers.insert("dashboards".into());
    let view = catalog.view.as_mut().expect("prepared");
    view.readers.insert("dashboards".into());
    (view.live, view.shown) = (Some(first.clone()), Shown::Plain(first.clone()));
    let built = Built { records: 2 * END, time: Duration::from_secs(20) };
    view.revisions.get_mut(&first).expect("begun").built = Some(built);
    catalog.target_columns = columns(view.revisions[&first].plan.as_ref().expect("compiled here"));
    scene
}

impl Scene {
    /// The person writes `yaml` into the manifest.
    pub fn ask(mut self, yaml: &str) -> Scene {
        merge(&mut self.manifest, serde_yaml::from_str(yaml).expect("YAML"));
        self
    }

    /// The person annotates the view with the name of the revision that is asked for.
    pub fn ask_by_name(self, annotation: &str) -> Scene {
        let name = self.goal();
        self.ask(&format!("metadata: {{annotations: {{{annotation}: '{name}'}}}}"))
    }

    pub fn with(mut self, change: impl FnOnce(&mut Observed)) -> Scene {
        change(&mut self.observed);
        self
    }

    /// The revision that is asked for was begun a minute ago, and every partition is read up to `next_offset`.
    pub fn begun(mut self, next_offset: i64) -> Scene {
        let desired = self.desired();
        let query = desired.query.as_ref().expect("the query compiles");
        let minute_ago = Moment(self.now.0 - 60_000);
        let Observed { catalog: Known::Present(catalog), kafka: Known::Present(kafka), .. } = &mut self.observed else {
            panic!("a revision is begun with Kafka and Postgres there");
        };
        let view = catalog.view.as_mut().expect("the view is prepared");
        let acted: Vec<&str> = view.replays.iter().map(|replay| replay.id.as_str()).collect();
        let accepted = new_replay(&desired, &acted).map(|replay| replay.id.clone());
        view.replay_count += u32::from(accepted.is_some() && !view.revisions.is_empty());
        let revision = query.revision(view.replay_count);
        view.replays.extend(accepted.map(|id| AcceptedReplay {
            id,
            revision: revision.clone(),
            accepted_at: minute_ago,
        }));
        let progress = |(&partition, _): (&i32, &Offsets)| Progress {
            topic: TOPIC.into(),
            partition,
            topic_id: "topic-1".into(),
            kafka_cluster_id: kafka.cluster_id.clone(),
            start_offset: 0,
            started_at: Some(minute_ago),
            next_offset,
            bytes: Some(next_offset * 120),
            event_time: None,
            committed_at: None,
            lease_until: Some(self.now),
            lag_records: None,
            problem: None,
            hold: None,
        };
        let row = RevisionRow {
            state: RevisionState::Open,
            reason: None,
            plan: Ok(query.plan.clone()),
            errors_policy: "DeadLetter".into(),
            errors_stop_above: None,
            created_at: minute_ago,
            live_at: None,
            ended_at: None,
            approved_at: None,
            paused: false,
            resumed_at: None,
            caught_up_at: None,
            built: None,
            answers: BTreeMap::new(),
            refilling: false,
            pace: None,
            paced_at: None,
            indexes: BTreeSet::new(),
            progress: kafka.topic(TOPIC).expect("the topic is there").partitions.iter().map(progress).collect(),
        };
        view.revisions.insert(revision.clone(), row);
        self.begun.push(revision);
        self.workers()
    }

    /// Every revision has the Deployment that it should have, and its workers run.
    pub fn workers(mut self) -> Scene {
        let desired = self.desired();
        let ViewRow { revisions, live, .. } = view(&mut self.observed).clone();
        for (revision, row) in revisions {
            let replicas = replicas(&desired, &row, live.as_ref() != Some(&revision));
            let state = DeploymentState {
                uid: "deployment".into(),
                resource_version: "1".into(),
                manifest: deployment(&desired, &revision, replicas, &kafka_address(), &postgres_address(), PASSWORD)
                    .into(),
                replicas,
                ready: replicas,
                deleting: false,
            };
            children(&mut self.observed).deployments.insert(desired.identity.name.deployment(&revision), state);
        }
        self
    }

    /// The revision that is asked for is beside the live one in the switch.
    pub fn switched(mut self) -> Scene {
        let next = self.goal();
        let view = view(&mut self.observed);
        view.shown = Shown::Switch { live: view.live.clone().expect("one is live"), next };
        self
    }

    /// The live revision was fenced, `ago` before now.
    pub fn fenced(mut self, ago: Duration) -> Scene {
        let at = Moment(self.now.0 - ago.as_millis() as i64);
        let view = view(&mut self.observed);
        let live = view.live.as_ref().and_then(|live| view.revisions.get_mut(live)).expect("one is live");
        (live.state, live.ended_at) = (RevisionState::Fenced, Some(at));
        self
    }

    /// The revision that is asked for became live, `ago` before now; the one before is kept, and its workers are gone.
    pub fn cut_over(mut self, ago: Duration) -> Scene {
        let next = self.goal();
        let at = Moment(self.now.0 - ago.as_millis() as i64);
        let view = view(&mut self.observed);
        let before = view.live.replace(next.clone()).expect("one was live");
        let row = view.revisions.get_mut(&before).expect("it has its row");
        (row.state, row.ended_at) = (RevisionState::Retired, Some(at));
        view.shown = Shown::Plain(next);
        let workers = self.desired().identity.name.deployment(&before);
        children(&mut self.observed).deployments.remove(&workers);
        self
    }

    pub fn later(mut self, after: Duration) -> Scene {
        self.now = self.now + after;
        self
    }

    pub fn desired(&self) -> Desired {
        let view: MaterializedView = serde_yaml::from_value(self.manifest.clone()).expect("the manifest is a view");
        let settings = Settings {
            image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
            tenancy: Tenancy::default(),
            concurrent_rollouts: 4,
        };
        parse(&view, &settings)
    }

    pub fn plan(&self) -> Plan {
        plan(&self.desired(), &self.observed, self.now)
    }

    /// The status after a round that ended so.
    pub fn report(&self, outcome: &Outcome, previous: &MaterializedViewStatus) -> MaterializedViewStatus {
        status(&self.desired(), &self.observed, &self.plan(), outcome, previous, self.now)
    }

    /// The revision that is asked for, once its replay is accepted.
    fn goal(&self) -> Revision {
        let count = self.observed.catalog.present().and_then(|catalog| catalog.view.as_ref());
        self.desired().query.expect("the query compiles").revision(count.map_or(0, |view| view.replay_count))
    }

    /// Plans, and compares what the plan says: its phase, actions, what it waits for and what is wrong. Revisions are
    /// called A, B and so on, in the order in which they were begun.
    pub fn check(&self, expected: &Expect) {
        let plan = self.plan();
        let mut text = String::new();
        // Writing to a String does not fail.
        if let Some(rollout) = &plan.rollout {
            let _ = writeln!(text, "{} {:?}", rollout.revision, rollout.phase);
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
        expected.assert_eq(&self.lettered(text));
    }

    /// Asks what would become of the manifest, and compares the page.
    pub fn asked(&self, expected: &Expect) {
        expected.assert_eq(&self.page());
    }

    /// The same, but for what is the same of every query over these topics: what becomes of the revisions, and what is
    /// read of each partition.
    pub fn asked_in_short(&self, expected: &Expect) {
        let page = self.page();
        let usual = |part: &&str| !part.starts_with("Revision ") && !part.starts_with("topic ");
        let parts: Vec<&str> = page.trim_end().split("\n\n").filter(usual).collect();
        expected.assert_eq(&format!("{}\n", parts.join("\n\n")));
    }

    pub fn page(&self) -> String {
        let answer = answer(&self.desired(), &self.observed, self.now);
        let text = answer.map_or_else(|unseen| format!("not answered: {unseen}\n"), |answer| answer.page);
        self.lettered(text)
    }

    fn lettered(&self, text: String) -> String {
        let replays = self
            .observed
            .catalog
            .present()
            .and_then(|catalog| catalog.view.as_ref())
            .map_or(0, |view| view.replay_count);
        let desired = self.desired();
        let asked = desired.query.iter().flat_map(|query| [query.revision(replays), query.revision(replays + 1)]);
        let asked = asked.chain(self.begun.iter().map(copy_of));
        let mut names = self.begun.clone();
        names.extend(asked.filter(|name| !self.begun.contains(name) && text.contains(&name.0)));
        names.iter().zip('A'..).fold(text, |text, (name, letter)| text.replace(&name.0, &letter.to_string()))
    }
}
