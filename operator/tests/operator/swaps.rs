//! What the operator's transactions look at again, on a real Postgres, before readers are shown something else.

use crate::database::{LIVE, Stage, live};
use millrace_contract::revision::RevisionState;
use millrace_operator::{
    view::{
        action::{Action, NewRevision},
        name::Revision,
        request::{Deed, Request, Verb},
        shown::{Shown, plain_sql, switch_sql},
    },
    world::{Performed, postgres},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const NEXT: &str = "bbbbbbbb";
const READ: &str = "SELECT count(*) FROM shop.";

fn next() -> Revision {
    Revision(NEXT.into())
}

/// A live revision of one row and another of two, each at offset 10 of two partitions.
async fn built(name: &str) -> Stage {
    let stage = Stage::new(name).await;
    stage.store(NEXT).await;
    let schema = |revision: &Revision| stage.desired.identity.name.schema(revision);
    stage.execute(&format!("INSERT INTO {}.rows VALUES (1)", schema(&live()))).await;
    stage.execute(&format!("INSERT INTO {}.rows VALUES (1), (2)", schema(&next()))).await;
    for revision in [LIVE, NEXT] {
        stage.execute(&positions(&stage, revision, "generate_series(0, 1)")).await;
    }
    stage
}

/// The same behind a switch, so that a cut-over is next.
async fn switched(name: &str) -> Stage {
    let stage = built(name).await;
    let desired = &stage.desired;
    let plan = &desired.query.as_ref().expect("it compiles").plan;
    let columns = [("id".to_owned(), "bigint".to_owned())];
    let sides = ((&live(), &**plan), (&next(), &**plan));
    let sql = switch_sql(&desired.identity.name, &desired.target, sides.0, sides.1, &columns);
    let switch = Shown::Switch { live: live(), next: next() };
    stage.perform(show(&live(), Shown::Plain(live()), switch, sql), None).await;
    stage
}

fn positions(stage: &Stage, revision: &str, partitions: &str) -> String {
    format!(
        "INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id, kafka_cluster_id,
                                        start_offset, next_offset, writer)
         SELECT 'shop', '{}', '{revision}', n, 'users', n, 'topic-1', 'cluster-1', 0, 10, current_user
         FROM {partitions} AS n",
        stage.desired.identity.name.name
    )
}

fn show(live: &Revision, expected: Shown, shown: Shown, sql: String) -> Action {
    Action::Show { live: live.clone(), expected: expected.to_string(), shown: shown.to_string(), sql }
}

fn cut_over() -> Action {
    Action::CutOver { live: live(), next: next(), unfinished: false }
}

/// What the action waits for: nothing was done.
async fn refused(stage: &Stage, action: &Action) -> String {
    match postgres::perform(&stage.pool, &stage.desired, action, None).await {
        Ok(Performed::NotYet(what)) => what,
        other => panic!("{action}: {other:?}"),
    }
}

/// As many rows as readers see.
async fn rows(stage: &Stage) -> i64 {
    let sql = format!("{READ}{}", stage.target().name);
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&stage.pool).await.expect("readers see no error")
}

#[tokio::test]
async fn a_revision_that_lacks_a_record_does_not_take_the_live_ones_place() {
    let stage = switched("behind").await;
    let live_only = |set: &str| format!("UPDATE millrace.progress SET {set} WHERE revision = '{LIVE}'");
    stage.execute(&live_only("next_offset = 11")).await;
    assert!(refused(&stage, &cut_over()).await.contains("to pass the live one"));
    assert_eq!((stage.view().await.live, rows(&stage).await), (Some(live()), 1));

    // A partition that it does not read at all.
    stage.execute(&live_only("next_offset = 10")).await;
    stage.execute(&positions(&stage, LIVE, "generate_series(2, 2)")).await;
    assert!(refused(&stage, &cut_over()).await.contains("to pass the live one"));

    stage.execute(&positions(&stage, NEXT, "generate_series(2, 2)")).await;
    stage.perform(cut_over(), None).await;
    assert_eq!((stage.view().await.live, rows(&stage).await), (Some(next()), 2));
}

#[tokio::test]
async fn a_fence_takes_the_live_revision_from_its_workers() {
    let stage = built("fenced").await;
    let held = "UPDATE millrace.progress SET owner = 7, holder = 'fenced-0', lease_until = now() + interval '1 hour'";
    stage.execute(held).await;
    stage.perform(Action::FenceLive { live: live(), next: next() }, None).await;
    assert_eq!(stage.view().await.revisions[&live()].state, RevisionState::Fenced);
    let owners = "SELECT revision, owner, holder, lease_until > now() FROM millrace.progress
                  WHERE partition = 0 ORDER BY revision";
    let owners: Vec<(String, i64, Option<String>, bool)> =
        sqlx::query_as(owners).fetch_all(&stage.pool).await.expect("Postgres answers");
    let fenced = (LIVE.to_owned(), 8, None, false);
    assert_eq!(owners, [fenced, (NEXT.to_owned(), 7, Some("fenced-0".to_owned()), true)]);
}

#[tokio::test]
async fn a_reader_with_an_older_snapshot_keeps_the_switch_and_what_it_shows() {
    let stage = switched("older").await;
    stage.store("cccccccc").await;
    stage.execute("UPDATE millrace.revision SET state = 'abandoned' WHERE revision = 'cccccccc'").await;
    let mut reader = PgConnection::connect(&stage.database.uri).await.expect("a reader connects");
    let mut snapshot = reader.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.expect("it begins");
    // Only the snapshot is taken: no lock on what is queried later keeps the operator out.
    sqlx::query("SELECT pg_current_snapshot()").execute(&mut *snapshot).await.expect("a snapshot");
    stage.perform(cut_over(), None).await;

    let desired = &stage.desired;
    let plan = &desired.query.as_ref().expect("it compiles").plan;
    let columns = [("id".to_owned(), "bigint".to_owned())];
    let sql = plain_sql(&desired.identity.name, &desired.target, &next(), plan, &columns);
    let switch = Shown::Switch { live: live(), next: next() };
    let plain = show(&next(), switch, Shown::Plain(next()), sql);
    let gone = Action::DropRevision { revision: Revision("cccccccc".into()) };
    for action in [&plain, &gone] {
        assert_eq!(refused(&stage, action).await, "readers whose snapshots are older than the cut-over");
    }
    let read = format!("{READ}{}", stage.target().name);
    let seen: i64 = sqlx::query_scalar(AssertSqlSafe(read)).fetch_one(&mut *snapshot).await.expect("it reads");
    assert_eq!((seen, rows(&stage).await), (1, 2), "it sees what was live, others see what is");
    snapshot.commit().await.expect("it ends");

    for action in [plain, gone, Action::DropRevision { revision: live() }] {
        stage.perform(action, None).await;
    }
    assert_eq!(rows(&stage).await, 2);
}

#[tokio::test]
async fn what_is_live_shown_or_open_by_now_is_not_dropped() {
    let stage = switched("needed").await;
    let drop = |revision| Action::DropRevision { revision };
    refused(&stage, &drop(next())).await;
    stage.perform(cut_over(), None).await;
    refused(&stage, &drop(next())).await;
    assert_eq!(stage.view().await.revisions[&live()].state, RevisionState::Retired);
    refused(&stage, &drop(live())).await;
    assert_eq!((stage.view().await.revisions.len(), rows(&stage).await), (2, 2));
}

#[tokio::test]
async fn a_replay_is_accepted_once() {
    let stage = Stage::new("replayed").await;
    let replay = |revision: &str, count| {
        let replay_count = (count, count + 1);
        let new = crate::database::new_revision(&stage.desired, Revision(revision.into()));
        Action::CreateRevision(Box::new(NewRevision { replay_count, replay: Some("bugfix-42".into()), ..new }))
    };
    stage.perform(replay(NEXT, 0), None).await;
    // From an older look at the catalog, and from one that has not seen the id.
    refused(&stage, &replay("cccccccc", 0)).await;
    refused(&stage, &replay("cccccccc", 1)).await;
    let view = stage.view().await;
    assert_eq!((view.replay_count, view.revisions.len()), (1, 2));
}

#[tokio::test]
async fn a_request_is_obeyed_once() {
    let stage = built("obeyed").await;
    let request = Request { verb: Verb::Abort, id: "not-today".into() };
    let abort = || Action::Obey { request: request.clone(), deed: Deed::Abandon(next()) };
    stage.perform(abort(), None).await;
    assert_eq!(stage.view().await.revisions[&next()].state, RevisionState::Abandoned);
    let retry = Request { verb: Verb::Retry, id: "today".into() };
    stage.perform(Action::Obey { request: retry, deed: Deed::Reopen(next()) }, None).await;
    refused(&stage, &abort()).await;
    assert_eq!(stage.view().await.revisions[&next()].state, RevisionState::Open);
}
