//! What the catalog says about a revision: its plan once, and who holds what, again and again.

use super::{
    error::{LoadError, StoreError},
    lease::HOLD,
    store::RevisionName,
};
use millrace_contract::{
    Plan, Topics,
    plan::{PLAN_FORMAT, PlanError},
    revision::RevisionState,
};
use sqlx::{AssertSqlSafe, PgConnection, Row};

/// A revision as the operator stored it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub plan: Plan,
    pub schema: String,
    /// The view's role, whose name is the advisory locks' first number.
    pub role: String,
    pub catalog_id: String,
}

/// What becomes of a record that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorsPolicy {
    DeadLetter,
    Skip,
    Stop,
}

/// The catalog at one moment, as far as it concerns a worker.
#[derive(Debug, Clone)]
pub struct Survey {
    pub catalog_id: String,
    /// `None`: the catalog has no such revision any more.
    pub state: Option<RevisionState>,
    pub live: bool,
    pub policy: ErrorsPolicy,
    /// Dead letters per 10,000 records above which the view stops.
    pub stop_above: Option<i32>,
    /// Records a second that all its workers may read together; none: as many as they can.
    pub pace: Option<i64>,
    pub live_workers: i64,
    pub tasks: Vec<TaskRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub holder: Option<String>,
    pub owner: i64,
    /// Whether its lease has run out.
    pub free: bool,
    /// Whether it will have within 1.5 s: its holder has not renewed it for long.
    pub ending: bool,
    pub next_offset: i64,
    pub problem: Option<String>,
    pub records: i64,
    pub dead_letters: i64,
    /// The offset that it is held at.
    pub hold: Option<i64>,
}

impl ErrorsPolicy {
    fn from_name(name: &str) -> ErrorsPolicy {
        match name {
            "Skip" => ErrorsPolicy::Skip,
            "Stop" => ErrorsPolicy::Stop,
            _ => ErrorsPolicy::DeadLetter,
        }
    }
}

/// Reads the plan. A plan of a newer format is refused before it is parsed.
pub async fn load(connection: &mut PgConnection, name: &RevisionName) -> Result<Loaded, LoadError> {
    let row = sqlx::query(
        "SELECT r.plan, r.plan_format, r.schema_name, v.role, c.catalog_id::text
         FROM millrace.catalog c
         JOIN millrace.view v ON v.namespace = $1 AND v.name = $2
         JOIN millrace.revision r ON r.namespace = v.namespace AND r.view = v.name AND r.revision = $3",
    )
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|error| match error.as_database_error().and_then(|database| database.code()) {
        // undefined_table, invalid_schema_name
        Some(code) if code == "42P01" || code == "3F000" => LoadError::NoCatalog(error),
        _ => LoadError::Postgres(error),
    })?;
    let Some(row) = row else {
        let role: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *connection).await?;
        let RevisionName { namespace, view, revision, .. } = name.clone();
        return Err(LoadError::Absent { namespace, view, revision, role });
    };
    let format: i32 = row.try_get(1)?;
    if format > PLAN_FORMAT as i32 {
        return Err(PlanError::Format { found: format as u32 }.into());
    }
    Ok(Loaded {
        plan: Plan::from_json(row.try_get::<&str, _>(0)?)?,
        schema: row.try_get(2)?,
        role: row.try_get(3)?,
        catalog_id: row.try_get(4)?,
    })
}

/// Looks at the catalog.
pub async fn survey(connection: &mut PgConnection, name: &RevisionName, topics: &Topics) -> Result<Survey, StoreError> {
    let head = sqlx::query(
        "SELECT c.catalog_id::text, r.state, coalesce(v.live_revision = $3, false), r.errors_policy, r.errors_stop_above,
                (SELECT count(*) FROM millrace.worker w
                 WHERE w.namespace = $1 AND w.view = $2 AND w.revision = $3 AND w.seen_until > clock_timestamp()),
                r.pace
         FROM millrace.catalog c
         LEFT JOIN millrace.view v ON v.namespace = $1 AND v.name = $2
         LEFT JOIN millrace.revision r ON r.namespace = v.namespace AND r.view = v.name AND r.revision = $3",
    )
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .fetch_one(&mut *connection)
    .await?;
    let tasks = sqlx::query(AssertSqlSafe(format!(
        "SELECT p.partition, p.holder, p.owner, p.lease_until < clock_timestamp(),
                p.lease_until < clock_timestamp() + interval '1.5 seconds', p.next_offset, p.problem, p.records,
                p.dead_letters, {HOLD}, p.topic
         FROM millrace.progress p
         WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 ORDER BY p.topic, p.partition"
    )))
    .bind(&name.namespace)
    .bind(&name.view)
    .bind(&name.revision)
    .fetch_all(&mut *connection)
    .await?;
    // A topic that the plan does not read has no task here.
    let task = |row: &sqlx::postgres::PgRow| -> Result<Option<TaskRow>, sqlx::Error> {
        let Some(partition) = topics.task_of(row.try_get(10)?, row.try_get(0)?) else { return Ok(None) };
        Ok(Some(TaskRow {
            partition,
            holder: row.try_get(1)?,
            owner: row.try_get(2)?,
            free: row.try_get(3)?,
            ending: row.try_get(4)?,
            next_offset: row.try_get(5)?,
            problem: row.try_get(6)?,
            records: row.try_get(7)?,
            dead_letters: row.try_get(8)?,
            hold: row.try_get(9)?,
        }))
    };
    let mut tasks: Vec<TaskRow> = tasks.iter().filter_map(|row| task(row).transpose()).collect::<Result<_, _>>()?;
    tasks.sort_by_key(|task| task.partition);
    Ok(Survey {
        catalog_id: head.try_get(0)?,
        state: head.try_get::<Option<&str>, _>(1)?.and_then(RevisionState::from_name),
        live: head.try_get(2)?,
        policy: head.try_get::<Option<&str>, _>(3)?.map_or(ErrorsPolicy::DeadLetter, ErrorsPolicy::from_name),
        stop_above: head.try_get(4)?,
        live_workers: head.try_get(5)?,
        pace: head.try_get(6)?,
        tasks,
    })
}
