//! Gates on a real Postgres, and with an API server and Kafka: what is asked, what comes back, and what cannot be read.

use crate::stage::{Stage, live, users_view};
use millrace_crds::{ConditionType, MaterializedView, RolloutPhase};
use millrace_operator::{
    view::{action::Action, gates::Question, name::Revision, observed::Answer},
    world::{Performed, postgres},
};
use millrace_sql::Assertion;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::{collections::BTreeMap, time::Duration};

const NEXT: &str = "bbbbbbbb";
const VIEW: &str = "user-view";

fn next() -> Revision {
    Revision(NEXT.into())
}

/// A view with a live revision of two rows, and one of three that is built.
async fn built(name: &str) -> crate::database::Stage {
    let stage = crate::database::Stage::new(name).await;
    stage.store(NEXT).await;
    let schema = |revision: &Revision| stage.desired.identity.name.schema(revision);
    stage.execute(&format!("INSERT INTO {}.rows VALUES (1), (2)", schema(&crate::database::live()))).await;
    stage.execute(&format!("INSERT INTO {}.rows VALUES (1), (2), (3)", schema(&next()))).await;
    stage
}

fn questions(texts: &[String]) -> Vec<Question> {
    (0..).zip(texts).map(|(number, sql)| Question { number, sql: sql.clone() }).collect()
}

async fn ask(stage: &crate::database::Stage, texts: &[String]) -> BTreeMap<i32, Answer> {
    let live = Some(crate::database::live());
    stage.perform(Action::RunGates { next: next(), live, questions: questions(texts) }, None).await;
    stage.view().await.revisions.remove(&next()).expect("it is stored").answers
}

/// What comes back to assertions, as a person writes them.
async fn details(stage: &crate::database::Stage, assertions: &[&str]) -> Vec<String> {
    let name = &stage.desired.identity.name;
    let rows = |revision: &Revision| format!("SELECT r.id FROM {}.rows AS r", name.schema(revision));
    let (new, old) = (rows(&next()), rows(&crate::database::live()));
    let sql = |text: &&str| {
        let assertion = Assertion::parse("assertions", text).unwrap_or_else(|error| panic!("{error}"));
        assertion.sql(&new, Some(&old)).expect("both are there")
    };
    ask(stage, &assertions.iter().map(sql).collect::<Vec<_>>())
        .await
        .into_values()
        .map(|answer| answer.detail)
        .collect()
}

#[tokio::test]
async fn each_assertion_has_its_answer_and_one_that_fails_spoils_no_other() {
    let stage = built("answers").await;
    let refused = |sentence: &str| format!("was refused by Postgres: {sentence}");
    assert_eq!(
        details(
            &stage,
            &[
                "select count(*) = 3 from {next}",
                "select (select count(*) from {next}) <= (select count(*) from {live})",
                "select max(id) / 0 > 1 from {next}",
                "select bool_or(id > 5) from {next} where id > 5",
                "select count(*) from {next}",
                "select true from {next}",
                "select not exists (select id from {live} except select id from {next})",
                "select r.ctid is null from {next} as r",
            ]
        )
        .await,
        [
            "gave true".to_owned(),
            "gave false".to_owned(),
            refused("division by zero (SQLSTATE 22012)"),
            "gave null".to_owned(),
            refused("argument of AND must be type boolean, not type bigint (SQLSTATE 42804)"),
            refused("more than one row returned by a subquery used as an expression (SQLSTATE 21000)"),
            "gave true".to_owned(),
            refused("column r.ctid does not exist (SQLSTATE 42703)"),
        ]
    );
}

#[tokio::test]
async fn an_answer_says_since_when_it_has_not_passed() {
    let stage = built("since").await;
    let (no, other, yes) = ("SELECT false".to_owned(), "SELECT false AND true".to_owned(), "SELECT true".to_owned());
    let first = ask(&stage, std::slice::from_ref(&no)).await.remove(&0).expect("an answer");
    assert_eq!((first.passed, first.failing_since), (false, Some(first.at)));
    let second = ask(&stage, &[no]).await.remove(&0).expect("an answer");
    assert_eq!(second.failing_since, first.failing_since);
    assert!(second.at > first.at);
    let another = ask(&stage, &[other]).await.remove(&0).expect("an answer");
    assert_eq!(another.failing_since, Some(another.at));
    let passed = ask(&stage, &[yes]).await.remove(&0).expect("an answer");
    assert_eq!((passed.passed, passed.failing_since), (true, None));
}

#[tokio::test]
async fn an_assertion_that_takes_long_keeps_neither_rounds_nor_tables_waiting() {
    let stage = built("slow").await;
    let look = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.execute("UPDATE millrace.view SET cut_over_xid = pg_current_xact_id()").await;
        assert!(!stage.view().await.old_snapshots, "what is asked is no reader");
    };
    let asked = ["SELECT pg_sleep(5.5) IS NOT NULL".to_owned(), "SELECT true".to_owned()];
    let (answers, ()) = tokio::join!(ask(&stage, &asked), look);
    assert_eq!(answers.into_keys().collect::<Vec<_>>(), [0], "the other one is for the next round");
}

/// Whatever our parser might let through one day.
#[tokio::test]
async fn the_role_that_asks_can_read_the_two_revisions_and_do_nothing() {
    let stage = built("rights").await;
    stage.store("cccccccc").await;
    let view = &stage.desired.identity.name;
    let (third, own) = (view.schema(&Revision("cccccccc".into())), view.schema(&next()));
    let asked = [
        "SELECT count(*) > 0 FROM millrace.view".to_owned(),
        format!("SELECT count(*) = 0 FROM {third}.rows"),
        "SELECT count(*) > 0 FROM shop.rights".to_owned(),
        "SELECT set_config('role', 'none', false) <> ''".to_owned(),
        "SELECT count(*) > 0 FROM millrace.progress".to_owned(),
        "SELECT set_config('transaction_read_only', 'off', false) <> ''".to_owned(),
        format!("WITH gone AS (DELETE FROM {own}.rows RETURNING id) SELECT count(*) > 0 FROM gone"),
        "SELECT true; RESET ROLE".to_owned(),
        format!("SELECT count(*) = 3 FROM {own}.rows"),
    ];
    let answers: Vec<String> = ask(&stage, &asked).await.into_values().map(|answer| answer.detail).collect();
    for (number, said) in [
        (0, "permission denied for table view"),
        (1, "permission denied for schema mr_"),
        (2, "permission denied for schema shop"),
        (4, "permission denied for table progress"),
        (6, "in a read-only transaction"),
        (7, "cannot insert multiple commands into a prepared statement"),
    ] {
        assert!(answers[number].contains(said), "{}: {}", asked[number], answers[number]);
    }
    assert_eq!(answers[8], "gave true");

    // What it could read in one rollout it cannot read in the next.
    let other = Action::RunGates { next: Revision("cccccccc".into()), live: None, questions: questions(&asked[8..]) };
    stage.perform(other, None).await;
    let answers = stage.view().await.revisions.remove(&Revision("cccccccc".into())).expect("it is stored").answers;
    assert!(answers[&0].detail.contains("permission denied"), "{answers:?}");

    let role = format!("{}_gate", stage.view().await.role);
    let exists = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    let there: bool = sqlx::query_scalar(exists).bind(&role).fetch_one(&stage.pool).await.expect("Postgres answers");
    assert!(there, "{role} is there");
    stage.perform(Action::DeleteView, None).await;
    let left: bool = sqlx::query_scalar(exists).bind(&role).fetch_one(&stage.pool).await.expect("Postgres answers");
    assert!(!left, "its role is gone with the view");
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_answered_and_the_next_one_is_asked() {
    let mut stage = built("slow").await;
    let options: PgConnectOptions = stage.database.uri.parse().expect("a URI");
    let options = options.options([("statement_timeout", "1s")]);
    stage.pool = PgPoolOptions::new().connect_with(options).await.expect("the operator connects");
    let answers = ask(&stage, &["SELECT pg_sleep(20) IS NULL".to_owned(), "SELECT true".to_owned()]).await;
    let said = "was refused by Postgres: canceling statement due to statement timeout (SQLSTATE 57014)";
    assert_eq!((answers[&0].detail.as_str(), answers[&1].detail.as_str()), (said, "gave true"));
}

#[tokio::test]
async fn a_revision_that_is_given_up_is_not_asked() {
    let stage = built("given_up").await;
    stage.execute("UPDATE millrace.revision SET state = 'abandoned' WHERE revision = 'bbbbbbbb'").await;
    let run = Action::RunGates { next: next(), live: None, questions: questions(&["SELECT true".to_owned()]) };
    let held = postgres::perform(&stage.pool, &stage.desired, &run, None).await.expect("Postgres answers");
    assert!(matches!(held, Performed::NotYet(_)), "{held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_passes_its_gates_or_is_given_up() {
    let stage = Stage::set().await;
    let topic = format!("users-{}", stage.database.name);
    let mut view = users_view(VIEW, &topic);
    view["spec"]["rollout"] = json!({"retainPrevious": "1h", "gates": {"maxBehindLive": 1000, "assertions": [
        "select count(*) = 0 from {next}",
        "select (select count(*) from {next}) >= (select count(*) from {live})",
    ]}});
    stage.apply(view).await;
    let first = live(&stage.ready(VIEW).await);
    let answers = "SELECT string_agg(number || ' ' || detail, ', ' ORDER BY number) FROM millrace.gate
                   JOIN millrace.view v ON v.live_revision = gate.revision";
    assert_eq!(stage.text(answers).await.as_deref(), Some("0 gave true"));
    stage.patch(VIEW, json!({"spec": {"query": "SELECT id, name, id AS number FROM users"}})).await;
    let second = live(&stage.ready(VIEW).await);
    assert_ne!(second, first);
    assert_eq!(stage.text(answers).await.as_deref(), Some("0 gave true, 1 gave true"));

    gate(&stage, "select count(*) > 0 from {next}").await;
    stage.patch(VIEW, json!({"spec": {"replay": {"id": "again"}}})).await;
    let said = "rollout.gates.assertions[0], select count(*) > 0 from {next}, which gave false; it is asked again";
    stage.wait(VIEW, "gating", |view| waits_for(view) == Some((RolloutPhase::Gating, said))).await;
    // As if it had been asked for an hour.
    let caught_up = "UPDATE millrace.revision SET caught_up_at = now() - interval '1 hour'
                     WHERE state = 'open' AND live_at IS NULL RETURNING revision";
    stage.text(caught_up).await.expect("one is built");
    let earlier =
        "UPDATE millrace.gate SET failing_since = now() - interval '1 hour' WHERE NOT passed RETURNING detail";
    assert_eq!(stage.text(earlier).await.as_deref(), Some("gave false"));
    let said = stage.reason(VIEW, ConditionType::Ready, "GateFailed").await;
    assert!(
        said.contains("rollout.gates.assertions[0], select count(*) > 0 from {next}, has not passed for"),
        "{said}"
    );
    let failed = stage.get(VIEW).await;
    assert_eq!(live(&failed), second);
    assert!(crate::stage::is(&failed, ConditionType::Available, "True"));

    gate(&stage, "select count(*) = 0 from {next}").await;
    stage.patch(VIEW, json!({"metadata": {"annotations": {"millrace.dev/retry": "mended"}}})).await;
    assert_ne!(live(&stage.ready(VIEW).await), second);

    gate(&stage, "select count(*) > 0 from {next}, pg_class").await;
    let said = stage.reason(VIEW, ConditionType::Ready, "InvalidSpec").await;
    assert!(said.contains("line 1, column 34: found the relation \"pg_class\""), "{said}");
}

async fn gate(stage: &Stage, assertion: &str) {
    stage.patch(VIEW, json!({"spec": {"rollout": {"gates": {"assertions": [assertion]}}}})).await;
}

fn waits_for(view: &MaterializedView) -> Option<(RolloutPhase, &str)> {
    let rollout = view.status.as_ref()?.rollout.as_ref()?;
    Some((rollout.phase, rollout.waiting_on.as_deref()?))
}
