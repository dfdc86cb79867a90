//! Many views at once in one real Postgres: none gets in the way of another.

use crate::database::{Stage, new_revision};
use millrace_operator::{
    view::{
        action::{Action, Owner},
        known::Known,
        name::Revision,
        shown::first_sql,
    },
    world::{Performed, postgres},
};
use sqlx::postgres::PgPoolOptions;

const VIEWS: usize = 24;
const OPERATORS: usize = 8;

/// Whatever each session believes from before that there is no catalog.
#[tokio::test]
async fn those_who_migrate_at_the_same_time_go_one_after_the_other() {
    let stage = Stage::empty("crowd").await;
    let mut sessions = Vec::new();
    for _ in 0..OPERATORS {
        let session = PgPoolOptions::new().max_connections(1).connect(&stage.database.uri).await.expect("it connects");
        let seen = postgres::observe(&session, &stage.address(), &stage.desired).await;
        assert!(matches!(seen, Known::Absent), "{seen:?}");
        sessions.push(session);
    }
    let migrate =
        sessions.iter().map(|session| postgres::perform(session, &stage.desired, &Action::MigrateCatalog, None));
    for performed in futures::future::join_all(migrate).await {
        assert_eq!(performed, Ok(Performed::Done));
    }
}

#[tokio::test]
async fn many_views_are_made_at_once() {
    let first = Stage::empty("crowd_0").await;
    first.perform(Action::MigrateCatalog, None).await;
    first.execute("CREATE ROLE crowd_reporting").await;
    let all: Vec<Stage> = (1..VIEWS).map(|number| first.beside(&format!("crowd_{number}"))).collect();
    let make = all.iter().map(async |stage| {
        let revision = Revision("aaaaaaaa".into());
        let new = new_revision(&stage.desired, revision.clone());
        let plan = stage.desired.query.as_ref().expect("the query compiles").plan.clone();
        let target = stage.target();
        let sql = first_sql(&stage.desired.identity.name, &target, &revision, &plan);
        stage.perform(Action::ClaimView { target: target.clone(), from: Owner::NoRow }, None).await;
        stage.perform(Action::CreateRevision(Box::new(new)), None).await;
        stage.perform(Action::ShowFirst { revision, target: target.clone(), sql }, None).await;
        let readers = vec!["crowd_reporting".to_owned()];
        stage.perform(Action::GrantReaders { target, readers }, None).await;
    });
    futures::future::join_all(make).await;
    for stage in &all {
        assert!(stage.may_read("crowd_reporting").await);
    }
    // However many there are, what they share does not grow.
    let rights = "SELECT max(cardinality(relacl)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = 'millrace'";
    let rights: i32 = sqlx::query_scalar(rights).fetch_one(&first.pool).await.expect("Postgres answers");
    assert!(rights < 5, "{rights} roles have rights to a table of the catalog");
}
