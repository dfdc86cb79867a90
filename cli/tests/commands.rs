//! The program as people start it, against a real API server; what an operator would write, the test writes.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use millrace_apiserver::ApiServer;
use millrace_crds::{MaterializedView, RolloutPlan};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const VIEW: &str = "user-view";
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    server: ApiServer,
    folder: tempfile::TempDir,
    views: Api<MaterializedView>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_type_reaches_the_resource() {
    let stage = Stage::set().await;
    a_cluster_without_views_is_told_apart(&stage).await;
    what_cannot_be_done_is_said_with_what_to_do(&stage);
    a_view_is_shown(&stage).await;
    a_page_is_shown_again_when_the_view_changes(&stage).await;
    a_promotion_takes_the_id_that_the_status_says(&stage).await;
    a_request_acts_once(&stage).await;
    rollouts_are_paused_and_resumed(&stage).await;
    a_replay_takes_the_place_of_the_one_before(&stage).await;
    a_plan_is_asked_for_and_shown(&stage).await;
    whoever_waits_is_told_what_it_came_to(&stage).await;
}

async fn a_cluster_without_views_is_told_apart(stage: &Stage) {
    let answer = stage.type_in("status");
    assert_refused(&answer, "the cluster knows no MaterializedView");
    let definition = millrace_crds::definition::materialized_view();
    stage.server.create_definition(&definition).await.unwrap_or_else(|error| panic!("{error}"));
    let answer = stage.type_in("status");
    assert_eq!((answer.code, answer.output.as_str()), (Some(0), "no MaterializedViews in default\n"));
    assert_eq!(stage.type_in("status -A").output, "no MaterializedViews in any namespace\n");
}

fn what_cannot_be_done_is_said_with_what_to_do(stage: &Stage) {
    for typed in ["status", "abort", "pause"] {
        let answer = stage.type_in(&format!("-n shop {typed} nobody"));
        assert_refused(&answer, "there is no MaterializedView nobody in the namespace shop");
    }
    assert_refused(&stage.type_in("--context other status"), "no cluster is known: ");
    assert_refused(&stage.type_in("--kubeconfig /nowhere/config status"), "no cluster is known: ");
    assert_eq!(stage.type_in("abort").code, Some(2));
    let text = std::fs::read_to_string(stage.server.kubeconfig()).expect("the kubeconfig");
    let guest = stage.kubeconfig("guest", &text.replace("user: {token", "user: {as: guest, token"));
    assert_refused(&run(&guest, "-n shop status"), "you may not: ");
    let nowhere = "apiVersion: v1\nkind: Config\ncurrent-context: nowhere\n\
                   clusters: [{name: nowhere, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
                   users: [{name: nobody, user: {token: none}}]\n\
                   contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]\n";
    assert_refused(&run(&stage.kubeconfig("nowhere", nowhere), "status"), "http://127.0.0.1:1/ does not answer: ");
}

async fn a_view_is_shown(stage: &Stage) {
    stage.make().await;
    let fresh = stage.type_in("-n shop status user-view");
    assert_eq!(fresh.code, Some(0), "{fresh:?}");
    assert!(fresh.output.contains("Ready:       Unknown, the operator has not looked at it yet\n"), "{fresh:?}");
    stage.report(building()).await;
    stage.tell("RevisionCreated", "revision 5e6f7a8b is built").await;
    let page = stage.type_in("-n shop status user-view").output;
    for line in [
        "Table:       shop.user_view",
        "Ready:       False, RollingOut",
        "Live:        revision 1a2b3c4d",
        "Rollout:     revision 5e6f7a8b, Building",
        "Progress:    42%, 42 of 100 records, 1m20s to go",
        "Waits for:   workers: 부서",
        "Ready       False    RollingOut   status.rollout says how far it is",
        "first    1a2b3c4d",
        "RevisionCreated   revision 5e6f7a8b is built",
    ] {
        assert!(page.contains(line), "{line:?} is not in\n{page}");
    }
    let table = stage.type_in("status -A").output;
    assert!(table.starts_with("NAMESPACE   NAME        READY   STATUS       ROLLOUT    PROGRESS   ETA"), "{table}");
    assert!(table.contains("\nshop        user-view   False   RollingOut   Building   42%        1m20s"), "{table}");
    assert!(stage.type_in("-n shop status").output.contains("\nuser-view   False"));
}

async fn a_page_is_shown_again_when_the_view_changes(stage: &Stage) {
    let mut watching = stage.start("-n shop status user-view --watch");
    let (told, lines) = mpsc::channel();
    let output = BufReader::new(watching.stdout.take().expect("it is piped"));
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
    let shown = |wanted: &str| {
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if line.contains(wanted) {
                return;
            }
        }
        panic!("{wanted:?} is not shown");
    };
    shown("revision 5e6f7a8b, Building");
    stage.report(json!({"rollout": {"phase": "CatchingUp"}})).await;
    shown("revision 5e6f7a8b, CatchingUp");
    stage.tell("Noticed", "사용자가 늘었습니다").await;
    shown("사용자가 늘었습니다");
    watching.kill().and_then(|()| watching.wait()).expect("it ends");
}

async fn a_promotion_takes_the_id_that_the_status_says(stage: &Stage) {
    stage.report(json!({"rollout": {"promote": null}})).await;
    let answer = stage.type_in("-n shop promote user-view");
    assert_refused(&answer, "revision 5e6f7a8b (CatchingUp) waits for no promotion");
    stage.report(json!({"rollout": {"promote": "5e6f7a8b.2"}})).await;
    let answer = stage.type_in("-n shop promote user-view");
    assert_done(&answer, "user-view: asked for: promote 5e6f7a8b.2");
    assert_done(&answer, "-n shop annotate --overwrite mv user-view millrace.dev/promote=5e6f7a8b.2");
    assert_eq!(stage.annotation("promote").await.as_deref(), Some("5e6f7a8b.2"));
}

async fn a_request_acts_once(stage: &Stage) {
    assert_done(&stage.type_in("-n shop abort user-view --id not-today"), "asked for: abort not-today");
    assert_eq!(stage.annotation("abort").await.as_deref(), Some("not-today"));
    assert_refused(&stage.type_in("-n shop abort user-view --id not-today"), "not-today was asked for already");
    assert_done(&stage.type_in("-n shop abort user-view"), "asked for: abort abort-20");
    assert!(stage.annotation("abort").await.is_some_and(|id| id.starts_with("abort-20")));
    assert_done(&stage.type_in("-n shop rollback user-view --id slow"), "millrace.dev/rollback=slow");
    assert_done(&stage.type_in("-n shop retry user-view --id again"), "millrace.dev/retry=again");
    assert_eq!(stage.type_in("-n shop retry user-view --id a/b").code, Some(2));
}

async fn rollouts_are_paused_and_resumed(stage: &Stage) {
    for (typed, paused) in [("pause", true), ("pause", true), ("resume", false)] {
        let answer = stage.type_in(&format!("-n shop {typed} user-view"));
        let same = format!(r#"patch mv user-view --type merge -p '{{"spec":{{"rollout":{{"paused":{paused}}}}}}}'"#);
        assert_done(&answer, &same);
        assert_eq!(stage.get().await.spec.rollout.paused, paused);
    }
}

async fn a_replay_takes_the_place_of_the_one_before(stage: &Stage) {
    let asked = || async { serde_json::to_value(stage.get().await.spec.replay).expect("JSON") };
    assert_done(&stage.type_in("-n shop replay user-view --id one --accept-truncation"), "asked for: replay one");
    assert_eq!(
        asked().await,
        json!({"id": "one", "from": {"earliest": {}}, "acceptTruncation": true, "discardHistory": false})
    );
    for (typed, from) in [
        ("24h", json!({"duration": "24h"})),
        ("2026-01-31T09:00:00+09:00", json!({"timestamp": "2026-01-31T00:00:00Z"})),
        ("latest", json!({"latest": {}})),
    ] {
        let answer = stage.type_in(&format!("-n shop replay user-view --id two --from {typed} --discard-history"));
        assert_done(&answer, r#"-n shop patch mv user-view --type merge -p '{"spec":{"replay":"#);
        assert_eq!(
            asked().await,
            json!({"id": "two", "from": from, "acceptTruncation": false, "discardHistory": true})
        );
    }
    let acted = stage.type_in("-n shop replay user-view --id first");
    assert_refused(&acted, "the replay first was accepted at 2026-01-01T00:00:00Z as revision 1a2b3c4d");
    assert_eq!(stage.type_in("-n shop replay user-view --id three --from yesterday").code, Some(2));
}

async fn a_plan_is_asked_for_and_shown(stage: &Stage) {
    let definition = millrace_crds::definition::rollout_plan();
    stage.server.create_definition(&definition).await.unwrap_or_else(|error| panic!("{error}"));
    let mut manifest = serde_json::to_value(stage.get().await).expect("a manifest");
    let plain = |manifest: &Value| {
        let spec = json!({"apiVersion": "millrace.dev/v1alpha1", "kind": "MaterializedView",
            "metadata": {"name": VIEW, "namespace": "shop"}, "spec": manifest["spec"]});
        stage.kubeconfig("manifest.yaml", &spec.to_string())
    };
    // A wrong field is refused at once, and nothing is asked.
    manifest["spec"]["rollout"] = json!({"canary": 10});
    let answer = stage.type_in(&format!("plan -f {}", plain(&manifest).display()));
    assert_refused(&answer, "canary");
    manifest["spec"]["rollout"] = json!({});
    let answer = stage.type_in(&format!("-n other plan -f {}", plain(&manifest).display()));
    assert_refused(&answer, "the manifest says the namespace shop, and -n says other");
    let elsewhere = json!({"kind": "MaterializedView", "metadata": {"name": VIEW}, "spec": manifest["spec"]});
    let elsewhere = stage.kubeconfig("elsewhere.yaml", &elsewhere.to_string());
    let answer = stage.type_in(&format!("-n nowhere plan -f {}", elsewhere.display()));
    assert_refused(&answer, "there is no namespace nowhere");
    let unanswered = stage.type_in(&format!("-n shop plan -f {} --timeout 1s", elsewhere.display()));
    assert_eq!(unanswered.code, Some(3), "{unanswered:?}");
    assert!(unanswered.errors.contains("no answer after 1s"), "{unanswered:?}");
    let questions: Api<RolloutPlan> = Api::namespaced(stage.server.client(), "shop");
    let left = the_question(&questions).await;
    assert!(unanswered.errors.contains(&format!("get mvplan {} -o yaml", left.name_any())), "{unanswered:?}");
    questions.delete(&left.name_any(), &Default::default()).await.expect("it is deleted");
    let asked = stage.start(&format!("plan -f {} --timeout 30s", plain(&manifest).display()));
    let question = the_question(&questions).await;
    assert_eq!(question.spec.view, VIEW);
    let condition = json!({"type": "Answered", "status": "True", "reason": "Refused", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let text = "부서 text is gone";
    let status = json!({"status": {"observedGeneration": question.metadata.generation, "conditions": [condition],
        "text": text}});
    questions
        .patch_status(&question.name_any(), &PatchParams::default(), &Patch::Merge(status))
        .await
        .expect("the answer is written");
    let answer = ended(asked);
    assert_refused(&answer, "nothing would be built for user-view");
    assert!(answer.output.contains(text), "{}", answer.output);
    assert!(questions.list(&Default::default()).await.expect("a list").items.is_empty(), "the question stays");
}

/// The question that is asked, or will be.
async fn the_question(questions: &Api<RolloutPlan>) -> RolloutPlan {
    let begun = Instant::now();
    loop {
        let list = questions.list(&Default::default()).await.expect("the API server answers");
        if let Some(question) = list.items.into_iter().next() {
            return question;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn whoever_waits_is_told_what_it_came_to(stage: &Stage) {
    let aborting = stage.start("-n shop abort user-view --id enough --wait");
    stage.wait("abort", "enough").await;
    stage.report(json!({"requests": [{"verb": "abort", "id": "enough"}]})).await;
    assert_done(&ended(aborting), "what was built is given up, revision 1a2b3c4d stays live\n");

    let retrying = stage.start("-n shop retry user-view --id in-vain --wait");
    stage.wait("retry", "in-vain").await;
    let nothing = "what the resource asks for was not given up";
    stage.report(json!({"requests": [{"verb": "retry", "id": "in-vain", "nothingToDo": nothing}]})).await;
    assert_refused(&ended(retrying), "there was nothing to do: what the resource asks for was not given up");

    let late = stage.type_in("-n shop rollback user-view --id later --wait --timeout 2s");
    assert_eq!(late.code, Some(3), "{late:?}");
    assert!(late.errors.contains("not done after 2s: the operator has not taken it up yet"), "{late:?}");

    let replaying = stage.start("-n shop replay user-view --id four --wait");
    stage.until("the replay is asked for", |view| view.spec.replay.as_ref().is_some_and(|it| it.id == "four")).await;
    let accepted = json!([{"id": "four", "revision": "5e6f7a8b", "acceptedAt": "2026-01-02T00:00:00Z"}]);
    stage.report(json!({"replays": accepted, "liveRevision": "5e6f7a8b"})).await;
    assert_done(&ended(replaying), "revision 5e6f7a8b is live\n");

    let following = stage.start("-n shop promote user-view --wait");
    stage.views.delete(VIEW, &Default::default()).await.expect("it is deleted");
    assert_refused(&ended(following), "there is no MaterializedView user-view");
}

/// A status in the midst of a rollout.
fn building() -> Value {
    json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": "False", "reason": "RollingOut", "message": "status.rollout says how far it is",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }],
        "liveRevision": "1a2b3c4d",
        "rollout": {
            "revision": "5e6f7a8b", "phase": "Building", "promote": "5e6f7a8b", "recordsDone": 42, "recordsTotal": 100,
            "percent": 42, "etaSeconds": 80, "waitingOn": "workers: 부서",
        },
        "replays": [{"id": "first", "revision": "1a2b3c4d", "acceptedAt": "2026-01-01T00:00:00Z"}],
        "lagRecords": 58, "freshnessMilliseconds": 1200, "replicas": 3,
    })
}

impl Stage {
    async fn set() -> Stage {
        let server = ApiServer::start().await.unwrap_or_else(|error| panic!("{error}"));
        let namespaces: Api<Namespace> = Api::all(server.client());
        let shop = serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("a namespace");
        namespaces.create(&PostParams::default(), &shop).await.expect("the namespace is made");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let views = Api::namespaced(server.client(), "shop");
        Stage { server, folder, views }
    }

    async fn make(&self) {
        let manifest = json!({
            "apiVersion": "millrace.dev/v1alpha1",
            "kind": "MaterializedView",
            "metadata": {"name": VIEW, "namespace": "shop"},
            "spec": {
                "sources": [{
                    "name": "users", "topic": "user-events", "as": "Table", "keyFormat": "Text", "key": ["id"],
                    "columns": [{"name": "id", "type": "bigint", "path": "user.id"}],
                }],
                "query": "SELECT id FROM users",
                "target": {"schema": "shop", "name": "user_view"},
            },
        });
        let params = PatchParams::apply("person");
        self.views.patch(VIEW, &params, &Patch::Apply(manifest)).await.expect("the API server takes the view");
    }

    /// Writes into the status, as an operator would.
    async fn report(&self, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        self.views.patch_status(VIEW, &PatchParams::default(), &patch).await.expect("the status is taken");
    }

    /// Publishes an event of the view, as an operator would.
    async fn tell(&self, reason: &str, message: &str) {
        let recorder = Recorder::new(self.server.client(), Reporter { controller: "test".into(), instance: None });
        let event = Event {
            type_: EventType::Normal,
            reason: reason.to_owned(),
            note: Some(message.to_owned()),
            action: reason.to_owned(),
            secondary: None,
        };
        recorder.publish(&event, &self.get().await.object_ref(&())).await.expect("the event is taken");
    }

    async fn get(&self) -> MaterializedView {
        self.views.get(VIEW).await.expect("the view is there")
    }

    async fn annotation(&self, verb: &str) -> Option<String> {
        self.get().await.annotations().get(&format!("millrace.dev/{verb}")).cloned()
    }

    /// Waits until the annotation of `verb` has this value.
    async fn wait(&self, verb: &str, id: &str) {
        let annotation = format!("millrace.dev/{verb}");
        self.until(id, |view| view.annotations().get(&annotation).is_some_and(|value| value == id)).await;
    }

    async fn until(&self, what: &str, wanted: impl Fn(&MaterializedView) -> bool) {
        let begun = Instant::now();
        while !wanted(&self.get().await) {
            assert!(begun.elapsed() < PATIENCE, "not seen: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn kubeconfig(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).expect("the kubeconfig is written");
        file
    }

    fn type_in(&self, words: &str) -> Answer {
        run(&self.server.kubeconfig(), words)
    }

    fn start(&self, words: &str) -> Child {
        command(&self.server.kubeconfig(), words).spawn().expect("the program starts")
    }
}

/// What the program said, and its exit code.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    output: String,
    errors: String,
}

fn command(kubeconfig: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.env("KUBECONFIG", kubeconfig).args(words.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(kubeconfig: &Path, words: &str) -> Answer {
    answer(command(kubeconfig, words).output().expect("the program starts"))
}

fn ended(program: Child) -> Answer {
    answer(program.wait_with_output().expect("the program ends"))
}

fn answer(output: Output) -> Answer {
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    Answer { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

fn assert_done(answer: &Answer, said: &str) {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.output.contains(said), "{said:?} is not in {answer:?}");
}

fn assert_refused(answer: &Answer, said: &str) {
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.errors.starts_with("error: ") && answer.errors.contains(said), "{said:?} is not in {answer:?}");
}
