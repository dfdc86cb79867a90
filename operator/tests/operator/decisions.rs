//! What people decide, on a real API server, Kafka and Postgres: to promote, to abort, to try again, to go back, to pause.

use crate::stage::{Stage, condition, live, users_view};
use millrace_crds::{ConditionType, MaterializedView, Request, RolloutPhase, Verb};
use serde_json::json;
use std::time::{Duration, Instant};

const VIEW: &str = "user-view";
const FIRST: &str = "SELECT id, name FROM users";
const SECOND: &str = "SELECT id, name, id AS number FROM users";

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_goes_as_people_decide() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    let mut view = users_view(VIEW, &topic);
    view["spec"]["rollout"] = json!({"promotion": "Manual", "retainPrevious": "1h"});
    stage.apply(view).await;
    let first = live(&stage.ready(VIEW).await);

    let second = a_revision_waits_until_it_is_promoted(&stage, &first).await;
    a_rollback_goes_back_and_stays_back(&stage, &first, &second).await;
    an_abort_and_a_retry_act_once(&stage).await;
    a_paused_rollout_stands_still(&stage).await;
    columns_are_taken_when_a_person_says_so(&stage).await;
}

async fn a_revision_waits_until_it_is_promoted(stage: &Stage, first: &str) -> String {
    ask(stage, SECOND).await;
    let said = stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    let waiting = stage.get(VIEW).await;
    assert_eq!((live(&waiting).as_str(), phase(&waiting)), (first, Some(RolloutPhase::AwaitingPromotion)));
    let next = waiting.status.expect("a status").rollout.expect("a rollout").revision;
    assert!(said.contains(&format!("annotate --overwrite mv user-view millrace.dev/promote={next}")), "{said}");
    annotate(stage, "promote", &next).await;
    assert_eq!(live(&stage.ready(VIEW).await), next);
    next
}

async fn a_rollback_goes_back_and_stays_back(stage: &Stage, first: &str, second: &str) {
    annotate(stage, "rollback", "it-was-slow").await;
    let said = stage.reason(VIEW, ConditionType::Ready, "RolledBack").await;
    let back = stage.wait(VIEW, "rolled back", |view| live(view) == first).await;
    assert!(crate::stage::is(&back, ConditionType::Available, "True"));
    stage.wait(VIEW, "plain again", |view| phase(view) == Some(RolloutPhase::Steady)).await;
    assert!(said.contains(&format!("a person went back from {second}")), "{said}");
    // The column that came with the newer revision stays for whatever depends on it.
    let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = 'shop.user_view'::regclass";
    assert_eq!(stage.text(columns).await.as_deref(), Some("id,name,number"));
    assert_eq!(stage.text("SELECT count(number)::text FROM shop.user_view").await.as_deref(), Some("0"));
    assert_eq!(stage.text("SELECT count(*)::text FROM millrace.request").await.as_deref(), Some("2"));
    annotate(stage, "retry", "mended").await;
    let said = stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    // The annotation of before still names the revision, but it has acted.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(live(&stage.get(VIEW).await), first);
    assert!(said.contains(&format!("millrace.dev/promote={second}.2 lets it go live")), "{said}");
    annotate(stage, "promote", &format!("{second}.2")).await;
    assert_eq!(live(&stage.ready(VIEW).await), second);
}

async fn an_abort_and_a_retry_act_once(stage: &Stage) {
    let before = live(&stage.get(VIEW).await);
    stage.patch(VIEW, json!({"spec": {"replay": {"id": "again"}}})).await;
    stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    annotate(stage, "abort", "not-today").await;
    let said = stage.reason(VIEW, ConditionType::Ready, "RolloutAborted").await;
    assert!(said.contains("a person gave it up (abort not-today)"), "{said}");
    annotate(stage, "retry", "today").await;
    stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    let next = stage.get(VIEW).await.status.expect("a status").rollout.expect("a rollout").revision;
    assert_ne!(next, before);
    annotate(stage, "promote", &next).await;
    assert_eq!(live(&stage.ready(VIEW).await), next);
    annotate(stage, "abort", "too-late").await;
    let request = Request { verb: Verb::Abort, id: "too-late".into() };
    let said = |view: &MaterializedView| view.status.as_ref()?.request(&request)?.nothing_to_do.clone();
    let view = stage.wait(VIEW, "there was nothing to abort", |view| said(view).is_some()).await;
    assert_eq!(said(&view).as_deref(), Some("no revision is being built"));
}

async fn a_paused_rollout_stands_still(stage: &Stage) {
    let before = live(&stage.get(VIEW).await);
    stage.patch(VIEW, json!({"spec": {"rollout": {"paused": true, "promotion": "Automatic"}}})).await;
    stage.ready(VIEW).await;
    stage.patch(VIEW, json!({"spec": {"replay": {"id": "while-paused"}}})).await;
    stage.reason(VIEW, ConditionType::Ready, "RolloutPaused").await;
    assert_eq!(live(&stage.get(VIEW).await), before);
    stage.patch(VIEW, json!({"spec": {"rollout": {"paused": false}}})).await;
    assert_ne!(live(&stage.ready(VIEW).await), before);
}

async fn columns_are_taken_when_a_person_says_so(stage: &Stage) {
    ask(stage, FIRST).await;
    let said = stage.reason(VIEW, ConditionType::Ready, "BreakingChange").await;
    assert!(said.contains("number bigint is gone") && said.contains("onBreakingChange: AwaitApproval"), "{said}");
    stage.patch(VIEW, json!({"spec": {"rollout": {"onBreakingChange": "AwaitApproval"}}})).await;
    let said = stage.reason(VIEW, ConditionType::Ready, "AwaitingPromotion").await;
    assert!(said.contains("readers of shop.user_view would see nulls: number bigint is gone"), "{said}");
    let next = stage.get(VIEW).await.status.expect("a status").rollout.expect("a rollout").revision;
    annotate(stage, "promote", &next).await;
    assert_eq!(live(&stage.ready(VIEW).await), next);
    let condition = condition(&stage.get(VIEW).await, ConditionType::RolloutSucceeded).cloned();
    assert_eq!(condition.expect("RolloutSucceeded").status, "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_is_kept_current_is_gone_back_to_at_once() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    let mut view = users_view(VIEW, &topic);
    view["spec"]["rollout"] = json!({"keepPreviousCurrent": true, "retainPrevious": "1h"});
    stage.apply(view).await;
    let first = live(&stage.ready(VIEW).await);
    ask(&stage, SECOND).await;
    let second = live(&stage.ready(VIEW).await);
    let kept = |view: &MaterializedView| previous(view) == Some((first.clone(), true, 0));

    // Both go on when records come.
    stage.produce(&topic, 3, 10, |_| 1_700_000_000_000).await;
    let workers = stage.read_up_to(10);
    stage.wait(VIEW, "kept current", &kept).await;
    let both = "SELECT count(*)::text FROM millrace.progress WHERE next_offset = 10";
    let read = async {
        while stage.text(both).await.as_deref() != Some("6") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("both are read");
    workers.abort();
    let deployments = stage.deployments().await;
    assert!(deployments.contains(&format!("{VIEW}-{first}")), "{deployments:?}");

    // Nobody reads any more: what there is to go back to is there.
    let begun = Instant::now();
    annotate(&stage, "rollback", "it-was-slow").await;
    stage.wait(VIEW, "rolled back", |view| live(view) == first).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    stage.wait(VIEW, "plain again", |view| phase(view) == Some(RolloutPhase::Steady)).await;
    // What was gone back from rests.
    stage.wait(VIEW, "resting", |view| previous(view) == Some((second.clone(), false, 0))).await;
    assert!(!stage.deployments().await.contains(&format!("{VIEW}-{second}")));

    // Forward again, and what is kept no longer goes, workers and rows.
    annotate(&stage, "retry", "mended").await;
    assert_eq!(live(&stage.ready(VIEW).await), second);
    stage.wait(VIEW, "kept current", &kept).await;
    stage.patch(VIEW, json!({"spec": {"rollout": {"retainPrevious": "0s"}}})).await;
    stage.wait(VIEW, "alone", |view| previous(view).is_none()).await;
    assert_eq!(stage.text("SELECT string_agg(revision, ',') FROM millrace.revision").await, Some(second.clone()));
    assert!(!stage.deployments().await.contains(&format!("{VIEW}-{first}")));
}

/// What a rollback would go back to: its name, whether it is kept current, and the records that it is behind.
fn previous(view: &MaterializedView) -> Option<(String, bool, i64)> {
    let previous = view.status.as_ref()?.previous_revision.as_ref()?;
    Some((previous.revision.clone(), previous.kept_current, previous.records_behind?))
}

async fn ask(stage: &Stage, query: &str) {
    stage.patch(VIEW, json!({"spec": {"query": query}})).await;
}

async fn annotate(stage: &Stage, verb: &str, value: &str) {
    let name = format!("millrace.dev/{verb}");
    stage.patch(VIEW, json!({"metadata": {"annotations": {name: value}}})).await;
}

fn phase(view: &MaterializedView) -> Option<RolloutPhase> {
    Some(view.status.as_ref()?.rollout.as_ref()?.phase)
}
