//! Epochs on a real Postgres: every way of writing against a plain recomputation, and the fence.

mod common;

use common::{Worker, claim_all, commit, history, recomputed};
use millrace_connectors::postgres::StoreError;
use millrace_test_support::{StoredRevision, TemporaryPostgres, plans};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::Row;

const PARTITIONS: i32 = 3;

async fn stored(plan: millrace_contract::Plan) -> StoredRevision {
    StoredRevision::create(TemporaryPostgres::owned_database().await, plan, &common::topic(PARTITIONS)).await
}

/// Runs a random history in random cuts, with a worker that is replaced now and then.
async fn check(plan: fn(&str) -> millrace_contract::Plan) {
    let seed = rand::rng().next_u64();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let stored = stored(plan("users")).await;
    let records = history(&mut random, 1_500, PARTITIONS);
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    let mut done = 0;
    while done < records.len() {
        let most = if random.random_bool(0.3) { 400 } else { 8 };
        let size = random.random_range(1..=most);
        let end = (done + size).min(records.len());
        commit(&mut worker, &mut held, &records[done..end]).await.expect("the epoch is committed");
        done = end;
        if random.random_bool(0.05) {
            // Somebody who knows nothing goes on.
            worker = Worker::start(&stored, "a").await;
            held = claim_all(&mut worker, PARTITIONS).await;
        }
        if random.random_bool(0.1) || done == records.len() {
            let expected = recomputed(&stored.plan, &records[..done]);
            assert_eq!(stored.rows().await, expected, "seed {seed}, after {done} records");
        }
    }
    for (partition, task) in &held {
        let end = records.iter().filter(|record| record.partition == *partition).count() as i64;
        assert_eq!(task.next_offset, end, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appended_rows_are_every_record_once() {
    check(plans::append).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upserted_rows_are_the_newest_of_every_key() {
    check(plans::upsert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_groups_of_a_stream_are_its_aggregates() {
    check(plans::stream_totals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_groups_of_a_table_follow_updates_and_deletes() {
    check(plans::table_totals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_without_rows_and_values_without_rows_are_gone() {
    let stored = stored(plans::table_totals("users")).await;
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    let records = common::records(&[
        (0, "7", Some(r#"{"user":{"id":7,"department":"개발팀","age":30}}"#)),
        (0, "8", Some(r#"{"user":{"id":8,"department":null,"age":40}}"#)),
        (0, "7", None),
        (0, "8", Some(r#"{"user":{"id":8,"department":"퇴사"}}"#)),
    ]);
    for record in records.chunks(1) {
        commit(&mut worker, &mut held, record).await.expect("the epoch is committed");
    }
    let mut owner = stored.owner().await;
    for table in ["rows", "smallest", "largest"] {
        let sql = format!("SELECT count(*) FROM \"{}\".\"{table}\"", stored.schema);
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut owner).await.expect("counted");
        assert_eq!(count, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_task_commits_nothing() {
    let stored = stored(plans::upsert("users")).await;
    let mut zombie = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut zombie, PARTITIONS).await;
    let records = common::records(&[(0, "7", Some(r#"{"user":{"id":7,"name":"홍길동"}}"#))]);
    let mut owner = stored.owner().await;

    // Another worker holds the task now.
    sqlx::query("UPDATE millrace.progress SET lease_until = '-infinity'").execute(&mut owner).await.expect("expired");
    let mut successor = Worker::start(&stored, "b").await;
    let mut held_by_successor = claim_all(&mut successor, PARTITIONS).await;
    assert_eq!(held_by_successor.len(), 3);
    let refused = commit(&mut zombie, &mut held, &records).await;
    assert!(matches!(&refused, Err(StoreError::Lost(lost)) if lost == &[0]), "{refused:?}");
    assert!(stored.rows().await.is_empty());
    commit(&mut successor, &mut held_by_successor, &records).await.expect("the successor commits");
    assert_eq!(stored.rows().await.len(), 1);

    // The right owner at a position that is not Postgres's.
    held_by_successor.get_mut(&0).expect("held").next_offset = 0;
    let refused = commit(&mut successor, &mut held_by_successor, &records).await;
    assert!(matches!(refused, Err(StoreError::Lost(_))), "{refused:?}");

    // The right owner at the right position of a revision that is not open.
    held_by_successor.get_mut(&0).expect("held").next_offset = 1;
    sqlx::query("UPDATE millrace.revision SET state = 'fenced'").execute(&mut owner).await.expect("fenced");
    let more = common::records(&[(0, "", None), (0, "7", None)]);
    let refused = commit(&mut successor, &mut held_by_successor, &more[1..]).await;
    assert!(matches!(refused, Err(StoreError::Lost(_))), "{refused:?}");
    assert_eq!(stored.rows().await.len(), 1);
    let owners: Vec<i64> =
        sqlx::query_scalar("SELECT owner FROM millrace.progress").fetch_all(&mut owner).await.expect("read");
    assert!(claim_all(&mut successor, PARTITIONS).await.is_empty(), "a revision that is not open cannot be claimed");
    let later: Vec<i64> =
        sqlx::query_scalar("SELECT owner FROM millrace.progress").fetch_all(&mut owner).await.expect("read");
    assert_eq!(owners, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_postgres_refuses_is_said_to_be_refused() {
    let mut plan = plans::upsert("users");
    // The name becomes the key of a second index, which takes 2,704 bytes.
    plan.tables[0].columns[1].nullable = true;
    let stored = stored(plan).await;
    let mut owner = stored.owner().await;
    let index = format!("CREATE INDEX ON \"{}\".rows (name)", stored.schema);
    sqlx::raw_sql(sqlx::AssertSqlSafe(index)).execute(&mut owner).await.expect("the index is made");
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    // No letter twice in a row, so that it cannot be compressed away.
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let name: String = (0..12_000).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
    let value = format!(r#"{{"user":{{"id":7,"name":"{name}"}}}}"#);
    let records = common::records(&[(0, "7", Some(&value))]);
    let refused = commit(&mut worker, &mut held, &records).await;
    match refused {
        Err(StoreError::Row { reason, detail }) => {
            assert_eq!(reason.name(), "Refused");
            assert!(detail.contains("SQLSTATE 54000"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    let at: i64 = sqlx::query_scalar("SELECT next_offset FROM millrace.progress WHERE partition = 0")
        .fetch_one(&mut owner)
        .await
        .expect("read");
    assert_eq!(at, 0, "the epoch was rolled back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_durable_once_readers_see_the_revision_and_not_before() {
    let stored = stored(plans::append("users")).await;
    let mut owner = stored.owner().await;
    // The setting at the moment of the commit, seen by a trigger that fires there.
    sqlx::raw_sql(
        "CREATE TABLE public.seen (setting text);
         CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER look AFTER UPDATE OF next_offset ON millrace.progress
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.look()",
    )
    .execute(&mut owner)
    .await
    .expect("the trigger is made");
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    let records = common::records(&[(0, "", Some("{}")), (0, "", Some("{}"))]);
    commit(&mut worker, &mut held, &records[..1]).await.expect("committed");
    stored.go_live().await;
    commit(&mut worker, &mut held, &records[1..]).await.expect("committed");
    let seen: Vec<String> =
        sqlx::query_scalar("SELECT setting FROM public.seen").fetch_all(&mut owner).await.expect("read");
    assert_eq!(seen, ["off", "on"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_shared_key_take_turns() {
    let stored = stored(plans::table_totals("users")).await;
    let mut owner = stored.owner().await;
    sqlx::query("UPDATE millrace.progress SET shared = true").execute(&mut owner).await.expect("shared");
    rewrite_one_key_in_two_partitions(&stored, ["7", "7"]).await;
}

/// Nobody has said that the state is shared: the keys' bytes differ and the keys do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_two_partitions_is_noticed_by_whoever_writes_it_second() {
    let stored = stored(plans::table_totals("users")).await;
    let mut owner = stored.owner().await;
    let mut shared = async || -> bool {
        let sql = "SELECT bool_and(shared) FROM millrace.progress";
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.expect("read")
    };
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    let user = |id: i32, age: i32| format!(r#"{{"user":{{"id":{id},"department":"개발팀","age":{age}}}}}"#);
    let (a, b, c, d) = (user(7, 1), user(7, 2), user(8, 3), user(7, 4));
    let records = common::records(&[(0, "7", Some(&a)), (0, "7", Some(&b)), (1, "8", Some(&c)), (2, "07", Some(&d))]);
    commit(&mut worker, &mut held, &records[..1]).await.expect("committed");
    commit(&mut worker, &mut held, &records[1..3]).await.expect("committed");
    assert!(!shared().await, "every key is in one partition");
    commit(&mut worker, &mut held, &records[3..]).await.expect("committed");
    assert!(shared().await, "key 7 is in two");
    assert_eq!(stored.rows().await, recomputed(&stored.plan, &records[2..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_one_key_that_is_not_known_to_be_shared_take_turns() {
    let stored = stored(plans::table_totals("users")).await;
    rewrite_one_key_in_two_partitions(&stored, ["7", "07"]).await;
}

/// One key in two partitions; two workers rewrite it again and again at once.
async fn rewrite_one_key_in_two_partitions(stored: &StoredRevision, keys: [&str; 2]) {
    let mut one = Worker::start(stored, "a").await;
    let mut two = Worker::start(stored, "b").await;
    let mut held_by_one = common::claim(&mut one, &[0]).await;
    let mut held_by_two = common::claim(&mut two, &[1]).await;
    let user = |age: i64| format!(r#"{{"user":{{"id":7,"department":"개발팀","age":{age}}}}}"#);
    let texts: Vec<String> = (0..60).map(user).collect();
    let lines = |partition: i32| -> Vec<(i32, &str, Option<&str>)> {
        texts.iter().map(|text| (partition, keys[partition as usize], Some(text.as_str()))).collect()
    };
    let (first, second) = (common::records(&lines(0)), common::records(&lines(1)));
    let run_one = async {
        for record in first.chunks(1) {
            commit(&mut one, &mut held_by_one, record).await.expect("committed");
        }
    };
    let run_two = async {
        for record in second.chunks(1) {
            commit(&mut two, &mut held_by_two, record).await.expect("committed");
        }
    };
    tokio::join!(run_one, run_two);
    let rows = stored.rows().await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0][1].as_deref(), Some("1"), "the key counts once: {rows:?}");
    assert_eq!(rows[0][4], rows[0][5], "one value is the smallest and the largest: {rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_on_the_same_groups_do_not_deadlock() {
    let stored = stored(plans::stream_totals("users")).await;
    let mut one = Worker::start(&stored, "a").await;
    let mut two = Worker::start(&stored, "b").await;
    let mut held_by_one = common::claim(&mut one, &[0]).await;
    let mut held_by_two = common::claim(&mut two, &[1]).await;
    let texts: Vec<String> =
        (0..36_000).map(|n| format!(r#"{{"user":{{"department":"{}팀","age":1}}}}"#, n * 7 % 150)).collect();
    let lines = |partition| -> Vec<(i32, &str, Option<&str>)> {
        texts.iter().map(|text| (partition, "", Some(text.as_str()))).collect()
    };
    let (first, second) = (common::records(&lines(0)), common::records(&lines(1)));
    let run_one = async {
        for records in first.chunks(150) {
            commit(&mut one, &mut held_by_one, records).await.expect("committed");
        }
    };
    let run_two = async {
        for records in second.chunks(150) {
            commit(&mut two, &mut held_by_two, records).await.expect("committed");
        }
    };
    tokio::join!(run_one, run_two);
    let all: Vec<common::Record> = first.into_iter().chain(second).collect();
    assert_eq!(stored.rows().await, recomputed(&stored.plan, &all));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_record_of_another_partition_read_later_changes_nothing() {
    let stored = stored(plans::upsert("users")).await;
    let mut worker = Worker::start(&stored, "a").await;
    let mut held = claim_all(&mut worker, PARTITIONS).await;
    let mut records = common::records(&[
        (1, "7", Some(r#"{"user":{"id":7,"name":"새것"}}"#)),
        (1, "8", None),
        (0, "7", Some(r#"{"user":{"id":7,"name":"옛것"}}"#)),
        (0, "8", Some(r#"{"user":{"id":8,"name":"옛것"}}"#)),
        (0, "7", Some(r#"{"user":{"id":7,"name":"다음"}}"#)),
    ]);
    for (record, timestamp) in records.iter_mut().zip([20, 20, 10, 10, 30]) {
        record.timestamp = timestamp;
    }
    let names = |rows: Vec<Vec<Option<String>>>| -> Vec<Option<String>> {
        rows.into_iter().map(|row| row[1].clone()).collect()
    };
    commit(&mut worker, &mut held, &records[..2]).await.expect("committed");
    commit(&mut worker, &mut held, &records[2..4]).await.expect("committed");
    assert_eq!(names(stored.rows().await), [Some("새것".into())], "neither the value nor the key comes back");
    commit(&mut worker, &mut held, &records[4..]).await.expect("committed");
    assert_eq!(names(stored.rows().await), [Some("다음".into())]);
}

/// Clocks go back within partition 0 and two partitions hold the keys: every cut must end at the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_keys_newest_record_is_the_same_however_epochs_are_cut() {
    let user = |id: i32, age: i32| format!(r#"{{"user":{{"id":{id},"department":"개발팀","age":{age}}}}}"#);
    let (a, b, c, d, e) = (user(7, 1), user(7, 2), user(7, 3), user(8, 4), user(8, 5));
    let mut records = common::records(&[
        (0, "7", Some(&a)),
        (0, "8", Some(&d)),
        (0, "7", Some(&b)),
        (0, "8", None),
        (1, "7", Some(&c)),
        (1, "8", Some(&e)),
    ]);
    for (record, timestamp) in records.iter_mut().zip([100, 100, 50, 50, 75, 75]) {
        record.timestamp = timestamp;
    }
    let last_of_partition_0 = |plan: &millrace_contract::Plan| recomputed(plan, &records[2..4]);
    let orders: [&[&[usize]]; 6] = [
        &[&[0, 1, 2, 3, 4, 5]],
        &[&[0, 1], &[2, 3, 4, 5]],
        &[&[0, 1, 2, 3], &[4, 5]],
        &[&[0, 1], &[4, 5], &[2, 3]],
        &[&[4, 5], &[0, 1], &[2, 3]],
        &[&[0], &[1, 4], &[2, 3, 5]],
    ];
    for plan in [plans::upsert, plans::table_totals] {
        for order in orders {
            let stored = stored(plan("users")).await;
            let mut worker = Worker::start(&stored, "a").await;
            let mut held = claim_all(&mut worker, PARTITIONS).await;
            for epoch in order {
                let epoch: Vec<common::Record> = epoch.iter().map(|&index| records[index].clone()).collect();
                commit(&mut worker, &mut held, &epoch).await.expect("committed");
            }
            assert_eq!(stored.rows().await, last_of_partition_0(&stored.plan), "{order:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_views_role_sees_and_changes_only_its_own_rows() {
    let stored = stored(plans::append("users")).await;
    let mut owner = stored.owner().await;
    sqlx::raw_sql(
        "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role) VALUES ('shop', 'other', 'shop', 'other', 'x');
         INSERT INTO millrace.revision (namespace, view, revision, spec_hash, schema_name, plan, plan_format, worker_image)
         VALUES ('shop', 'other', 'r', '', '', '', 1, '');
         INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id, kafka_cluster_id, start_offset, next_offset, writer)
         VALUES ('shop', 'other', 'r', 0, 't', 0, '', '', 0, 0, 'x')",
    )
    .execute(&mut owner)
    .await
    .expect("another view is stored");
    let mut role = millrace_connectors::postgres::connect(&stored.connection(), "test").await.expect("connects");
    for table in ["view", "revision", "progress"] {
        let sql = format!("SELECT count(DISTINCT t::text) FROM millrace.{table} t");
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut role).await.expect("read");
        assert_eq!(seen, if table == "progress" { 3 } else { 1 }, "{table}");
    }
    let changed = sqlx::query("UPDATE millrace.progress SET next_offset = 99").execute(&mut role).await.expect("runs");
    assert_eq!(changed.rows_affected(), 3);
    let row = sqlx::query("SELECT next_offset FROM millrace.progress WHERE view = 'other'")
        .fetch_one(&mut owner)
        .await
        .expect("read");
    assert_eq!(row.get::<i64, _>(0), 0);
    let forged = sqlx::query(
        "INSERT INTO millrace.dead_letter (namespace, view, revision, topic, partition, \"offset\", reason, detail, writer)
         VALUES ('shop', 'other', 'r', 't', 0, 0, '', '', 'x')",
    )
    .execute(&mut role)
    .await;
    assert!(forged.is_err());
}
