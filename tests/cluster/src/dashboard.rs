//! A dashboard: a login of its own, which may read one view and was given nothing else.

use crate::{database, shell::eventually, view::View};
use anyhow::{Result, ensure};
use sqlx::PgPool;
use std::time::Duration;

const ROLE: &str = "cluster_test_dashboard";
const PASSWORD: &str = "dashboard";
/// A test that failed may have left the role behind.
const MAKE: &str = "
    DO $$ BEGIN CREATE ROLE cluster_test_dashboard; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    ALTER ROLE cluster_test_dashboard LOGIN PASSWORD 'dashboard'";
const DROP: &str = "
    GRANT cluster_test_dashboard TO CURRENT_USER;
    DROP OWNED BY cluster_test_dashboard;
    DROP ROLE cluster_test_dashboard";

/// Makes the login, and has the operator let it read `table`, the view's target.
pub async fn let_in(view: &View, table: &str) -> Result<PgPool> {
    database::psql(MAKE)?;
    view.patch(&serde_json::json!({"spec": {"target": {"readers": [ROLE]}}}).to_string())?;
    wait_until_it_may_read(table, true)?;
    database::pool_as(ROLE, PASSWORD).await
}

/// Takes the view from it again, and leaves nothing of it.
pub fn send_away(view: &View, table: &str) -> Result<()> {
    view.patch(r#"{"spec":{"target":{"readers":null}}}"#)?;
    wait_until_it_may_read(table, false)?;
    database::psql(DROP).map(drop)
}

fn wait_until_it_may_read(table: &str, may: bool) -> Result<()> {
    eventually(&format!("{ROLE} may read {table}: {may}"), Duration::from_secs(60), || {
        let found = database::psql(&format!("select has_table_privilege('{ROLE}', '{table}', 'select')::text"))?;
        ensure!(found.trim() == may.to_string(), "Postgres says {found}");
        Ok(())
    })
}
