//! Roles in a real Postgres: readers are let in and put out, and a worker logs in with its password.

use crate::database::{LIVE, Stage, live};
use millrace_contract::catalog::{CATALOG_VERSION, MIGRATIONS};
use millrace_operator::{
    view::{
        action::{Action, Login, Owner},
        observed::TargetState,
    },
    world::{Performed, postgres},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_reader_is_let_in_and_put_out_and_the_rights_that_others_gave_stay() {
    let stage = Stage::new("readers").await;
    let [asked, guest] = ["readers_asked", "readers_guest"];
    stage.execute(&format!("CREATE ROLE {asked}; CREATE ROLE {guest}")).await;
    stage.execute(&format!("GRANT SELECT ON {} TO {guest}", stage.target())).await;
    let seen = stage.observe().await;
    assert_eq!(seen.missing_readers, ["readers_nobody".to_owned()].into());
    assert_eq!(seen.granted_readers, [].into());

    let readers = vec![asked.to_owned()];
    stage.perform(Action::GrantReaders { target: stage.target(), readers: readers.clone() }, None).await;
    stage.perform(Action::GrantReaders { target: stage.target(), readers: readers.clone() }, None).await;
    assert!(stage.may_read(asked).await);
    let seen = stage.observe().await;
    assert_eq!(seen.granted_readers, [asked.to_owned()].into());
    assert_eq!(seen.view.expect("claimed").readers, [asked.to_owned()].into());

    stage.perform(Action::RevokeReaders { target: stage.target(), readers: readers.clone() }, None).await;
    assert!(!stage.may_read(asked).await);
    assert!(stage.may_read(guest).await, "the operator did not give this right");
    assert_eq!(stage.view().await.readers, [].into());
}

#[tokio::test]
async fn a_reader_whose_role_was_dropped_is_forgotten() {
    let stage = Stage::new("dropped").await;
    let readers = vec!["dropped_asked".to_owned()];
    stage.execute("CREATE ROLE dropped_asked").await;
    stage.perform(Action::GrantReaders { target: stage.target(), readers: readers.clone() }, None).await;
    stage.execute("GRANT dropped_asked TO CURRENT_USER; DROP OWNED BY dropped_asked; DROP ROLE dropped_asked").await;
    stage.perform(Action::RevokeReaders { target: stage.target(), readers }, None).await;
    assert_eq!(stage.view().await.readers, [].into());
}

#[tokio::test]
async fn a_catalog_of_the_first_version_is_read_before_it_is_migrated() {
    let stage = Stage::empty("older").await;
    stage.execute(MIGRATIONS[0]).await;
    stage
        .execute(
            "INSERT INTO millrace.view (namespace, name, target_schema, target_name, role, uid)
             VALUES ('shop', 'older', 'shop', 'older', '', 'uid-1')",
        )
        .await;
    stage.store(LIVE).await;
    let view = stage.view().await;
    assert_eq!(view.readers, [].into());
    assert_eq!(view.revisions[&live()].answers, [].into());
    assert_eq!(view.comparisons, [].into());
    stage.perform(Action::MigrateCatalog, None).await;
    assert_eq!(stage.observe().await.version, CATALOG_VERSION);
}

#[tokio::test]
async fn a_worker_logs_in_with_a_password_that_postgres_was_never_told() {
    let mut stage = Stage::new("login").await;
    // Told the password itself, this Postgres would store it as MD5.
    stage.execute(&format!("ALTER DATABASE \"{}\" SET password_encryption = 'md5'", stage.database.name)).await;
    stage.pool = PgPool::connect(&stage.database.uri).await.expect("the operator connects");
    let role = stage.view().await.role;
    let login =
        Login { address: stage.address(), username: role.clone(), kafka_ca: None, catalog_id: "catalog".into() };
    let password = "0123456789abcdef";
    stage.perform(Action::ApplyLogin(login), Some(password)).await;
    let mut superuser = PgConnection::connect(&stage.database.superuser_uri).await.expect("the superuser connects");
    let stored: String = sqlx::query_scalar("SELECT rolpassword FROM pg_authid WHERE rolname = $1")
        .bind(&role)
        .fetch_one(&mut superuser)
        .await
        .expect("the role has a password");
    assert!(stored.starts_with("SCRAM-SHA-256$4096:"), "{stored}");
    let options = |password: &str| {
        PgConnectOptions::new()
            .host("127.0.0.1")
            .port(stage.database.port)
            .database(&stage.database.name)
            .username(&role)
            .password(password)
    };
    PgConnection::connect_with(&options(password)).await.expect("the worker logs in");
    PgConnection::connect_with(&options("another")).await.expect_err("another password is refused");
}

#[tokio::test]
async fn a_snapshot_that_another_role_took_of_another_table_holds_the_switch_back() {
    let stage = Stage::new("snapshots").await;
    stage.execute("CREATE ROLE snapshots_reader LOGIN PASSWORD 'reader'").await;
    stage.execute("GRANT USAGE ON SCHEMA shop TO snapshots_reader; CREATE TABLE shop.other (id bigint)").await;
    stage.execute("GRANT SELECT ON shop.other TO snapshots_reader").await;
    let options = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(stage.database.port)
        .database(&stage.database.name)
        .username("snapshots_reader")
        .password("reader");
    let mut reader = PgConnection::connect_with(&options).await.expect("the reader logs in");
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM shop.other")
        .execute(&mut reader)
        .await
        .expect("read");
    stage
        .execute("UPDATE millrace.view SET shown = 'switch:aaaaaaaa:bbbbbbbb', cut_over_xid = pg_current_xact_id()")
        .await;

    let plain = Action::Show {
        live: live(),
        expected: "switch:aaaaaaaa:bbbbbbbb".into(),
        shown: "plain:aaaaaaaa".into(),
        sql: format!("CREATE OR REPLACE VIEW {} AS SELECT id FROM {}.rows", stage.target(), stage.schema()),
    };
    assert!(stage.view().await.old_snapshots);
    let held = postgres::perform(&stage.pool, &stage.desired, &plain, None).await.expect("Postgres answers");
    assert_eq!(held, Performed::NotYet("readers whose snapshots are older than the cut-over".into()));

    reader.close().await.expect("the reader leaves");
    until("the snapshot is gone", async || !stage.view().await.old_snapshots).await;
    stage.perform(plain, None).await;
}

#[tokio::test]
async fn an_index_is_made_beside_the_rounds_and_outlasts_whoever_writes() {
    let stage = Stage::new("index").await;
    let mut writer = PgConnection::connect(&stage.database.uri).await.expect("a writer connects");
    let insert = format!("BEGIN; INSERT INTO {}.rows VALUES (1)", stage.schema());
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut writer).await.expect("it writes");
    let index = Action::CreateIndex { revision: live(), columns: vec!["id".into()] };
    let asked = std::time::Instant::now();
    for _ in 0..3 {
        stage.perform(index.clone(), None).await;
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "nobody waits for it");
    // Longer than an operator's session waits for a lock.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(stage.view().await.revisions[&live()].indexes.is_empty());
    writer.close().await.expect("the writer leaves");
    let made = async || stage.view().await.revisions[&live()].indexes.contains(&vec!["id".to_owned()]);
    until("the index is made", made).await;

    // One that is left unfinished is made again, and one that is being made does not keep its schema from going.
    let mut superuser = PgConnection::connect(&stage.database.superuser_uri).await.expect("the superuser connects");
    sqlx::raw_sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE 'mr%rows\\_%'")
        .execute(&mut superuser)
        .await
        .expect("the index is spoilt");
    assert!(!made().await);
    stage.perform(index, None).await;
    until("the index is made again", made).await;
    let mut reader = PgConnection::connect(&stage.database.uri).await.expect("a reader connects");
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").execute(&mut reader).await.expect("it reads");
    stage.perform(Action::CreateIndex { revision: live(), columns: vec!["id".into(), "id".into()] }, None).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.perform(Action::DeleteView, None).await;
}

#[tokio::test]
async fn what_took_the_name_of_a_dropped_target_is_left_alone() {
    for other in ["TABLE shop.taken (id bigint)", "VIEW shop.taken AS SELECT 1::bigint AS id"] {
        let stage = Stage::new("taken").await;
        assert_eq!(stage.observe().await.target, TargetState::Ours);
        stage.execute(&format!("DROP VIEW shop.taken; CREATE {other}")).await;
        assert!(matches!(stage.observe().await.target, TargetState::Foreign(_)));
        let show = Action::Show {
            live: live(),
            expected: "plain:aaaaaaaa".into(),
            shown: "plain:aaaaaaaa".into(),
            sql: format!("CREATE OR REPLACE VIEW shop.taken AS SELECT id FROM {}.rows", stage.schema()),
        };
        let held = postgres::perform(&stage.pool, &stage.desired, &show, None).await.expect("Postgres answers");
        assert!(matches!(held, Performed::NotYet(_)), "{held:?}");
        let grant = Action::GrantReaders { target: stage.target(), readers: vec!["pg_monitor".into()] };
        let held = postgres::perform(&stage.pool, &stage.desired, &grant, None).await.expect("Postgres answers");
        assert!(matches!(held, Performed::NotYet(_)), "{held:?}");
        assert!(!stage.may_read("pg_monitor").await);
        stage.perform(Action::DeleteView, None).await;
        stage.execute("SELECT id FROM shop.taken").await;
    }
}

#[tokio::test]
async fn views_of_one_name_in_two_databases_of_a_server_have_roles_of_their_own() {
    let (one, other) = (Stage::new("twice").await, Stage::new("twice").await);
    assert_ne!(one.view().await.role, other.view().await.role);
    one.perform(Action::DeleteView, None).await;
    let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(other.view().await.role)
        .fetch_one(&other.pool)
        .await
        .expect("Postgres answers");
    assert!(left, "it is the other's");
}

#[tokio::test]
async fn a_role_that_somebody_else_made_is_not_taken() {
    let stage = Stage::new("somebody").await;
    stage.perform(Action::DeleteView, None).await;
    let role = stage.desired.identity.name.role(&stage.observe().await.id);
    stage.execute(&format!("CREATE ROLE {role}")).await;
    let claim = Action::ClaimView { target: stage.target(), from: Owner::NoRow };
    let refused = postgres::perform(&stage.pool, &stage.desired, &claim, None).await.expect_err("it is not taken");
    assert!(refused.message.contains(&role), "{refused}");
}

/// One that is there for longer than readers may be kept waiting, and for less than a round.
#[tokio::test]
async fn the_target_is_replaced_between_readers_and_keeps_none_of_them_waiting() {
    let stage = Stage::new("turns").await;
    let read = "SELECT id FROM shop.turns";
    let mut reader = PgConnection::connect(&stage.database.uri).await.expect("a reader connects");
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {read}"))).execute(&mut reader).await.expect("it reads");
    let show = Action::Show {
        live: live(),
        expected: "plain:aaaaaaaa".into(),
        shown: "plain:aaaaaaaa".into(),
        sql: format!("CREATE OR REPLACE VIEW shop.turns AS SELECT id FROM {}.rows", stage.schema()),
    };
    let others = async {
        let mut other = PgConnection::connect(&stage.database.uri).await.expect("another one connects");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(400) {
            let asked = Instant::now();
            sqlx::raw_sql(read).execute(&mut other).await.expect("it reads");
            assert!(asked.elapsed() < Duration::from_millis(200), "it waited for {:?}", asked.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reader.close().await.expect("it goes");
    };
    let ((), ()) = tokio::join!(stage.perform(show, None), others);
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    for _ in 0..100 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}
