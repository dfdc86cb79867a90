//! A trigger on `millrace.progress` that writes down every committed range, and the proof that they meet.

use anyhow::{Result, ensure};
use sqlx::PgPool;

const INSTALL: &str = r#"
CREATE SCHEMA IF NOT EXISTS continuity;
DROP TRIGGER IF EXISTS continuity ON millrace.progress;
DROP TABLE IF EXISTS continuity.step;
CREATE TABLE continuity.step (id bigserial, namespace text, view text, revision text, topic text, partition int, begun bigint, ended bigint);
CREATE OR REPLACE FUNCTION continuity.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO continuity.step (namespace, view, revision, topic, partition, begun, ended)
    VALUES (new.namespace, new.view, new.revision, new.topic, new.partition, old.next_offset, new.next_offset);
    RETURN NULL;
END $$;
CREATE TRIGGER continuity AFTER UPDATE ON millrace.progress FOR EACH ROW
    WHEN (old.next_offset IS DISTINCT FROM new.next_offset) EXECUTE FUNCTION continuity.note();
"#;

pub async fn install(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql(INSTALL).execute(pool).await?;
    Ok(())
}

pub async fn remove(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql("DROP TRIGGER IF EXISTS continuity ON millrace.progress; DROP SCHEMA IF EXISTS continuity CASCADE")
        .execute(pool)
        .await?;
    Ok(())
}

/// Fails unless, for every partition of every revision, each step begins where the one before it ended.
/// Returns the number of steps.
pub async fn check(pool: &PgPool) -> Result<i64> {
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM continuity.step").fetch_one(pool).await?;
    let broken: Vec<(String, i32, i64, i64, i64)> = sqlx::query_as(
        "SELECT topic, partition, previous, begun, ended FROM (
            SELECT *, lag(ended) OVER (PARTITION BY namespace, view, revision, topic, partition ORDER BY id) AS previous
            FROM continuity.step) AS step
         WHERE begun <> coalesce(previous, begun) OR ended <= begun LIMIT 5",
    )
    .fetch_all(pool)
    .await?;
    ensure!(steps > 0, "nothing was committed while the trigger was there");
    ensure!(broken.is_empty(), "committed ranges do not meet (topic, partition, previous end, begin, end): {broken:?}");
    Ok(steps)
}
