//! Comparisons on a real Postgres: what is equal, what is not, and how two revisions are held until they are compared.

use crate::database::{self, live};
use millrace_crds::{ComparisonStatus, UnequalRow};
use millrace_operator::{
    view::{
        action::{Action, NewRevision},
        comparison::{State, comparison_sql},
        hold::HOLD_AT_MOST,
        name::Revision,
        observed::ViewRow,
        shown::first_sql,
    },
    world::{Performed, postgres},
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A machine that does much else besides is slow.
const PATIENCE: Duration = Duration::from_secs(60);

fn next() -> Revision {
    Revision("bbbbbbbb".into())
}

/// A view with a live revision and another one of the same query, both empty.
struct Stage(database::Stage);

impl Stage {
    async fn new(read_as: &str, query: &str) -> Stage {
        let stage = Stage(database::Stage::of(view(read_as, query)).await);
        stage.0.claim().await;
        for revision in [live(), next()] {
            let new = database::new_revision(&stage.0.desired, revision);
            stage.perform(Action::CreateRevision(Box::new(new))).await;
        }
        let desired = &stage.0.desired;
        let plan = &desired.query.as_ref().expect("the query compiles").plan;
        let sql = first_sql(&desired.identity.name, &desired.target, &live(), plan);
        stage.perform(Action::ShowFirst { revision: live(), target: stage.0.target(), sql }).await;
        stage
    }

    fn schema(&self, revision: &Revision) -> String {
        self.0.desired.identity.name.schema(revision)
    }

    async fn try_perform(&self, action: &Action) -> Performed {
        let performed = postgres::perform(self.pool(), &self.0.desired, action, None).await;
        performed.unwrap_or_else(|trouble| panic!("{action}: {trouble}"))
    }

    async fn perform(&self, action: Action) {
        self.0.perform(action, None).await;
    }

    async fn execute(&self, sql: &str) {
        self.0.execute(sql).await;
    }

    fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// Writes rows of a revision: `columns`, and the values of each row.
    async fn write(&self, revision: &Revision, columns: &str, rows: &[&str]) {
        let rows: Vec<String> = rows.iter().map(|row| format!("({row})")).collect();
        self.execute(&format!("INSERT INTO {}.rows ({columns}) VALUES {}", self.schema(revision), rows.join(", ")))
            .await;
    }

    async fn view(&self) -> ViewRow {
        self.0.view().await
    }

    async fn state(&self) -> Option<State> {
        self.view().await.comparisons.get(&next()).map(|comparison| comparison.state.clone())
    }

    /// Waits until the comparison is so.
    async fn until(&self, wanted: impl Fn(&State) -> bool) -> State {
        let begun = Instant::now();
        loop {
            let state = self.state().await;
            if let Some(state) = state.as_ref().filter(|state| wanted(state)) {
                return state.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "the comparison is {state:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As by a `retry`: what was found so far is of no more use.
    async fn forget_what_was_found(&self) {
        self.execute("UPDATE millrace.revision SET resumed_at = now() WHERE revision = 'bbbbbbbb'").await;
    }

    async fn compared(&self) -> ComparisonStatus {
        self.forget_what_was_found().await;
        let ViewRow { revisions, .. } = self.view().await;
        let (live, next) = (live(), next());
        let sides = ((&live, &revisions[&live]), (&next, &revisions[&next]));
        let sql = comparison_sql(&self.0.desired.identity.name, sides.0, sides.1).expect("they can be compared");
        self.perform(Action::Compare { live: live.clone(), next: next.clone(), sql }).await;
        match self.until(|state| matches!(state, State::Found(_) | State::Failed(_))).await {
            State::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }
}

fn view(read_as: &str, query: &str) -> Value {
    let key = if read_as == "Table" { vec!["id"] } else { vec![] };
    json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "MaterializedView",
        "metadata": {"name": "user-view", "namespace": "shop", "uid": "uid-1", "generation": 1},
        "spec": {
            "sources": [{
                "name": "users", "topic": "users", "as": read_as, "keyFormat": "Text", "key": key,
                "columns": [
                    {"name": "id", "type": "bigint"},
                    {"name": "name", "type": "text"},
                    {"name": "score", "type": "double precision"},
                    {"name": "amount", "type": "numeric"},
                    {"name": "details", "type": "jsonb"},
                ],
            }],
            "query": query,
            "target": {"schema": "shop", "name": "user_view"},
        },
    })
}

fn counts(found: &ComparisonStatus) -> [i64; 4] {
    [found.compared_rows, found.only_in_live, found.only_in_next, found.different]
}

fn row(live: Option<&str>, next: Option<&str>) -> UnequalRow {
    UnequalRow { live: live.map(str::to_owned), next: next.map(str::to_owned) }
}

#[tokio::test]
async fn a_row_of_one_key_with_other_values_is_one_difference() {
    let stage = Stage::new("Table", "SELECT id, name, score, amount, details FROM users").await;
    assert_eq!(counts(&stage.compared().await), [0, 0, 0, 0]);
    let columns = "id, name, score, amount, details, _partition, _offset, _timestamp, _deleted";
    let both = ["2, NULL, 'NaN', NULL, NULL, 0, 1, 1, false"];
    stage.write(&live(), columns, &both).await;
    stage.write(&next(), columns, &both).await;
    // What Postgres calls equal is equal, and versions are nobody's business.
    let one = r#"1, '홍길동', '-0', 1.0, '{"나이": 7, "부서": null}', 0, 2, 2, false"#;
    stage.write(&live(), columns, &[one]).await;
    let other = r#"1, '홍길동', 0, 1.00, '{"부서": null, "나이": 7}', 1, 9, 9, false"#;
    stage.write(&next(), columns, &[other]).await;
    let gone = "3, NULL, NULL, NULL, NULL, 0, 3, 3, true";
    stage.write(&live(), columns, &[gone]).await;
    let same = stage.compared().await;
    assert_eq!((counts(&same), same.sample), ([2, 0, 0, 0], vec![]));

    stage.write(&live(), columns, &["4, '이영희', 1.5, 2, NULL, 0, 4, 4, false"]).await;
    stage.write(&next(), columns, &["4, '이영이', 1.5, 2, NULL, 0, 4, 4, false"]).await;
    stage.write(&live(), columns, &["5, '김철수', NULL, NULL, NULL, 0, 5, 5, false"]).await;
    stage.write(&next(), columns, &["3, '박민수', NULL, NULL, NULL, 0, 3, 3, false"]).await;
    let found = stage.compared().await;
    assert_eq!(counts(&found), [4, 1, 1, 1]);
    let text = |id, name, rest: &str| format!(r#"{{"id":{id},"name":"{name}",{rest},"details":null}}"#);
    let values = r#""score":1.5,"amount":2"#;
    let nulls = r#""score":null,"amount":null"#;
    let sample = [
        row(Some(&text(4, "이영희", values)), Some(&text(4, "이영이", values))),
        row(Some(&text(5, "김철수", nulls)), None),
        row(None, Some(&text(3, "박민수", nulls))),
    ];
    assert_eq!(found.sample, sample);
}

#[tokio::test]
async fn rows_without_a_key_are_counted() {
    // One that has the name of what the query that compares gives its own.
    let stage = Stage::new("Stream", "SELECT name, id AS t FROM users").await;
    let columns = "name, t, _partition, _offset";
    stage.write(&live(), columns, &["'가', 1, 0, 0", "'가', 1, 0, 1", "'가', 1, 0, 2", "NULL, NULL, 0, 3"]).await;
    stage.write(&next(), columns, &["'가', 1, 0, 0", "NULL, NULL, 0, 1", "NULL, NULL, 1, 0"]).await;
    let found = stage.compared().await;
    assert_eq!(counts(&found), [4, 2, 1, 0]);
    let sample = [row(Some(r#"{"name":"가","t":1}"#), None), row(None, Some(r#"{"name":null,"t":null}"#))];
    assert_eq!(found.sample, sample);
}

#[tokio::test]
async fn a_group_is_known_by_its_columns_and_null_is_a_group() {
    let stage = Stage::new("Stream", "SELECT name, count(*) AS people FROM users GROUP BY name").await;
    stage.write(&live(), "name, _count", &["NULL, 2", "'가', 1", "'나', 5"]).await;
    stage.write(&next(), "name, _count", &["NULL, 3", "'가', 1"]).await;
    let found = stage.compared().await;
    assert_eq!(counts(&found), [3, 1, 0, 1]);
    let sample = [
        row(Some(r#"{"name":"나","people":5}"#), None),
        row(Some(r#"{"name":null,"people":2}"#), Some(r#"{"name":null,"people":3}"#)),
    ];
    assert_eq!(found.sample, sample);
}

#[tokio::test]
async fn a_few_rows_are_shown_and_long_ones_are_cut() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    let rows: Vec<String> = (0..25).map(|number| format!("{number}, repeat('가', 500), 0, {number}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    stage.write(&next(), "id, name, _partition, _offset", &rows).await;
    let found = stage.compared().await;
    assert_eq!(counts(&found), [0, 0, 25, 0]);
    let lengths: Vec<usize> =
        found.sample.iter().map(|row| row.next.as_ref().map_or(0, |text| text.chars().count())).collect();
    assert_eq!(lengths, [200; 10]);
}

#[tokio::test]
async fn both_are_held_at_the_furthest_position_and_compared_only_where_they_are_equal() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    let positions = "UPDATE millrace.progress SET next_offset = CASE WHEN revision = 'aaaaaaaa' THEN 10 ELSE 7 END;
                     UPDATE millrace.progress SET next_offset = 12 WHERE revision = 'bbbbbbbb' AND partition = 1";
    stage.execute(positions).await;
    let compare = Action::Compare { live: live(), next: next(), sql: "SELECT 1".into() };
    assert!(matches!(stage.try_perform(&compare).await, Performed::NotYet(_)), "the positions differ");

    stage.perform(Action::Hold { live: live(), next: next() }).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let held = stage.view().await;
    for row in held.revisions.values() {
        let holds: Vec<_> = row.progress.iter().map(|task| task.hold.expect("it is held")).collect();
        assert_eq!(holds.iter().map(|hold| hold.offset).collect::<Vec<_>>(), [10, 12]);
        let left = Duration::from_millis((holds[0].until.0 - now).max(0).unsigned_abs());
        // Each clock is read to the millisecond.
        let most = HOLD_AT_MOST + Duration::from_millis(2);
        assert!(left <= most && left + Duration::from_secs(5) > HOLD_AT_MOST, "{left:?}");
    }
    assert!(matches!(stage.try_perform(&compare).await, Performed::NotYet(_)), "they do not stand there yet");
    stage.execute("UPDATE millrace.progress SET next_offset = hold_offset").await;
    assert_eq!(counts(&stage.compared().await), [0, 0, 0, 0]);
    let over = "SELECT bool_and(hold_until <= now()) FROM millrace.progress";
    let over: bool = sqlx::query_scalar(over).fetch_one(stage.pool()).await.expect("Postgres answers");
    assert!(over, "nobody is held while rows are compared");

    let again = Action::Hold { live: live(), next: next() };
    assert!(matches!(stage.try_perform(&again).await, Performed::NotYet(_)), "readers have news for a while first");
    stage.execute("UPDATE millrace.progress SET hold_until = now() - interval '1 hour'").await;
    stage.perform(again).await;
    stage.perform(Action::ReleaseHolds).await;
    let over = "SELECT bool_and(hold_until <= now()) FROM millrace.progress";
    let over: bool = sqlx::query_scalar(over).fetch_one(stage.pool()).await.expect("Postgres answers");
    assert!(over, "they were released");
    // What is live, and what is open, is looked at again.
    let other = Action::Hold { live: next(), next: live() };
    assert!(matches!(stage.try_perform(&other).await, Performed::NotYet(_)), "another revision is live");
    stage.execute("UPDATE millrace.revision SET state = 'abandoned' WHERE revision = 'bbbbbbbb'").await;
    let held = Action::Hold { live: live(), next: next() };
    assert!(matches!(stage.try_perform(&held).await, Performed::NotYet(_)), "nobody builds the other");
    assert!(matches!(stage.try_perform(&compare).await, Performed::NotYet(_)));
}

#[tokio::test]
async fn a_comparison_that_does_not_come_to_an_end_says_so_and_keeps_nothing_from_being_dropped() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    let begin = |sql: String| Action::Compare { live: live(), next: next(), sql };
    stage.perform(begin("SELECT 1 / (count(*) - count(*)) FROM pg_class".into())).await;
    let failed = stage.until(|state| matches!(state, State::Failed(_))).await;
    assert_eq!(failed, State::Failed("division by zero".into()));

    // What was found stays found, until the revision is tried again.
    let again = stage.try_perform(&begin("SELECT 0, NULL::text".into())).await;
    assert!(matches!(again, Performed::NotYet(_)), "{again:?}");
    assert_eq!(stage.state().await, Some(failed));
    stage.forget_what_was_found().await;

    let sleep = format!("SELECT count(*), pg_sleep(60)::text FROM {}.rows", stage.schema(&next()));
    stage.perform(begin(sleep.clone())).await;
    assert_eq!(stage.state().await, Some(State::Running));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name LIKE 'millrace-compare %' AND datname = current_database()";
    stage.execute(end).await;
    stage.until(|state| *state == State::Lost).await;

    // Its snapshot is no reader's, and its locks give way.
    stage.perform(begin(sleep)).await;
    stage.until(|state| *state == State::Running).await;
    stage.execute("UPDATE millrace.view SET cut_over_xid = pg_current_xact_id()").await;
    assert!(!stage.view().await.old_snapshots);
    stage.execute("UPDATE millrace.revision SET state = 'abandoned' WHERE revision = 'bbbbbbbb'").await;
    let drop = Action::DropRevision { revision: next() };
    let begun = Instant::now();
    while stage.try_perform(&drop).await != Performed::Done {
        assert!(begun.elapsed() < PATIENCE, "the comparison keeps it");
    }
    assert!(!stage.view().await.revisions.contains_key(&next()));
}

/// An epoch has locked its positions, and its dead letter refers to the revision.
#[tokio::test]
async fn an_epoch_with_a_dead_letter_and_a_hold_wait_for_each_other_in_one_order() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    let mut worker = PgConnection::connect(&stage.0.database.uri).await.expect("a worker connects");
    let fence = "BEGIN; UPDATE millrace.progress SET next_offset = 1 WHERE revision = 'bbbbbbbb' AND partition = 0";
    sqlx::raw_sql(fence).execute(&mut worker).await.expect("it passes its fence");
    let hold = Action::Hold { live: live(), next: next() };
    let letter = async {
        // The hold waits for the positions by now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let letter = "INSERT INTO millrace.dead_letter
                          (namespace, view, revision, topic, partition, \"offset\", reason, detail, writer)
                      VALUES ('shop', 'user-view', 'bbbbbbbb', 'users', 0, 0, 'Decode', '', current_user); COMMIT";
        sqlx::raw_sql(letter).execute(&mut worker).await
    };
    let (held, letter) = tokio::join!(stage.try_perform(&hold), letter);
    letter.expect("the epoch commits");
    assert_eq!(held, Performed::Done);
}

#[tokio::test]
async fn what_was_found_of_a_revision_goes_with_it_unless_a_verification_shows_it() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    stage.compared().await;
    stage
        .execute(
            "INSERT INTO millrace.verification (namespace, view, revision, result)
             VALUES ('shop', 'user-view', 'bbbbbbbb', 'Equal');
             INSERT INTO millrace.comparison (namespace, view, revision, live)
             VALUES ('shop', 'user-view', '99999999', '88888888');
             UPDATE millrace.revision SET state = 'abandoned' WHERE revision = 'bbbbbbbb'",
        )
        .await;
    stage.perform(Action::DropRevision { revision: next() }).await;
    assert_eq!(stage.view().await.comparisons.into_keys().collect::<Vec<_>>(), [next()]);
}

#[tokio::test]
async fn a_rollout_waits_for_those_of_other_views_and_for_no_verification() {
    let stage = Stage::new("Stream", "SELECT id, name FROM users").await;
    stage
        .execute(
            "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role, uid, live_revision)
             VALUES ('shop', 'other', 'shop', 'other', '', 'uid-2', 'aaaaaaaa');
             INSERT INTO millrace.revision (namespace, view, revision, spec_hash, schema_name, plan, plan_format, worker_image)
             SELECT namespace, 'other', revision, spec_hash, 'other_' || revision, plan, plan_format, worker_image
             FROM millrace.revision",
        )
        .await;
    let third = database::new_revision(&stage.0.desired, Revision("cccccccc".into()));
    let third = NewRevision { concurrent: 1, ..third };
    let third = Action::CreateRevision(Box::new(third));
    assert!(matches!(stage.try_perform(&third).await, Performed::NotYet(what) if what.contains("its turn")));
    stage
        .execute("INSERT INTO millrace.verification (namespace, view, revision) VALUES ('shop', 'other', 'bbbbbbbb')")
        .await;
    stage.perform(third).await;
}
