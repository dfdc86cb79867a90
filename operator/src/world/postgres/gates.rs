//! Gates: what Postgres says to the assertions about a revision, asked under a role that can read two revisions.

use super::{
    super::Performed,
    catalog::{Locked, changed, execute, has_table, lock_view},
    refusal::Refusal,
    revision::is_in_state,
};
use crate::view::{
    desired::Identity,
    gates::Question,
    moment::Moment,
    name::{Revision, ViewName},
    observed::{Answer, RevisionRow},
};
use millrace_contract::ident::quote;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Row};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A round begins no further question after this long: other views wait for their rounds.
const ASKS_FOR: Duration = Duration::from_secs(5);

/// The role that a view's assertions are asked under; nobody logs in as it.
pub fn role(view_role: &str) -> String {
    format!("{view_role}_gate")
}

/// Asks `questions` about `next`, the first of them at least, and keeps the answers.
pub async fn run(
    pool: &PgPool,
    view: &Identity,
    next: &Revision,
    live: Option<&Revision>,
    questions: &[Question],
) -> Result<Performed, Refusal> {
    let Some(role) = prepare(pool, view, next, live).await? else { return Ok(changed()) };
    let said = ask(pool, &role, questions).await?;
    let mut transaction = pool.begin().await?;
    if lock_open(&mut transaction, view, next).await?.is_none() {
        return Ok(changed());
    }
    for (question, said) in questions.iter().zip(said) {
        keep(&mut transaction, view, next, question, &said).await?;
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// The view's row, locked, while `next` is open.
async fn lock_open(connection: &mut PgConnection, view: &Identity, next: &Revision) -> Result<Option<Locked>, Refusal> {
    let Some(row) = lock_view(connection, view).await? else { return Ok(None) };
    Ok(is_in_state(connection, view, next, &["open"]).await?.then_some(row))
}

/// The role, which can read the rows of `next` and `live` and of no other revision.
async fn prepare(
    pool: &PgPool,
    view: &Identity,
    next: &Revision,
    live: Option<&Revision>,
) -> Result<Option<String>, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_open(&mut transaction, view, next).await? else { return Ok(None) };
    let role = role(&row.role);
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(&role)
        .fetch_one(&mut *transaction)
        .await?;
    let quoted = quote(&role);
    if !exists {
        execute(&mut transaction, format!("CREATE ROLE {quoted} NOLOGIN")).await?;
    }
    // What it could read in an earlier rollout is taken from it.
    execute(&mut transaction, format!("GRANT {quoted} TO CURRENT_USER; DROP OWNED BY {quoted}")).await?;
    for revision in std::iter::once(next).chain(live) {
        let schema = quote(&view.name.schema(revision));
        let grant = format!("GRANT USAGE ON SCHEMA {schema} TO {quoted}; GRANT SELECT ON {schema}.rows TO {quoted}");
        execute(&mut transaction, grant).await?;
    }
    transaction.commit().await?;
    Ok(Some(role))
}

/// What was said to one question.
struct Said {
    passed: bool,
    detail: String,
}

/// Answers from one snapshot, in the order of the questions, in a session of its own: nobody waits for it, and it holds no
/// lock that others wait for. The session's `statement_timeout` bounds each question.
async fn ask(pool: &PgPool, role: &str, questions: &[Question]) -> Result<Vec<Said>, Refusal> {
    let options = (*pool.connect_options()).clone().application_name("millrace-gates");
    let mut session = options.connect().await?;
    let mut transaction = session.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    execute(&mut transaction, format!("SET LOCAL ROLE {}", quote(role))).await?;
    let begun = Instant::now();
    let mut said = Vec::new();
    for question in questions {
        if begun.elapsed() > ASKS_FOR {
            break;
        }
        execute(&mut transaction, "SAVEPOINT question".to_owned()).await?;
        // Prepared, it is one statement whatever is in it.
        let answer: Result<Option<bool>, sqlx::Error> =
            sqlx::query_scalar(AssertSqlSafe(question.sql.clone())).fetch_one(&mut *transaction).await;
        said.push(match answer {
            Ok(Some(true)) => Said { passed: true, detail: "gave true".to_owned() },
            Ok(Some(false)) => Said { passed: false, detail: "gave false".to_owned() },
            Ok(None) => Said { passed: false, detail: "gave null".to_owned() },
            Err(error) => Said { passed: false, detail: refused(error)? },
        });
        execute(&mut transaction, "ROLLBACK TO SAVEPOINT question".to_owned()).await?;
    }
    transaction.rollback().await?;
    session.close().await?;
    Ok(said)
}

/// Why Postgres did not answer, when it is the question's fault and not the server's.
fn refused(error: sqlx::Error) -> Result<String, Refusal> {
    let Some(database) = error.as_database_error() else { return Err(error.into()) };
    let code = database.code().unwrap_or_default().into_owned();
    // Connections, locks, resources, an operator's intervention: but for a statement that took too long.
    let of_server = ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    if of_server && code != "57014" {
        return Err(error.into());
    }
    let message: String = database.message().chars().take(300).collect();
    Ok(format!("was refused by Postgres: {message} (SQLSTATE {code})"))
}

async fn keep(
    connection: &mut PgConnection,
    view: &Identity,
    next: &Revision,
    question: &Question,
    said: &Said,
) -> Result<(), Refusal> {
    sqlx::query(
        "INSERT INTO millrace.gate AS before
             (namespace, view, revision, number, sql_hash, passed, detail, failing_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN NOT $6 THEN now() END)
         ON CONFLICT (namespace, view, revision, number) DO UPDATE SET
             sql_hash = excluded.sql_hash, passed = excluded.passed, detail = excluded.detail, at = excluded.at,
             failing_since = CASE WHEN before.sql_hash = excluded.sql_hash AND NOT excluded.passed
                                  THEN coalesce(before.failing_since, excluded.failing_since)
                                  ELSE excluded.failing_since END
         -- What has passed since it caught up has passed, also when somebody asks once more.
         WHERE NOT coalesce(before.passed AND before.sql_hash = excluded.sql_hash
                            AND before.at >= (SELECT r.caught_up_at FROM millrace.revision r
                                              WHERE r.namespace = $1 AND r.view = $2 AND r.revision = $3), false)",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&next.0)
    .bind(question.number)
    .bind(question.hash())
    .bind(said.passed)
    .bind(&said.detail)
    .execute(connection)
    .await?;
    Ok(())
}

/// The answers that are kept, beside the revisions that they are about.
pub async fn answers(
    connection: &mut PgConnection,
    name: &ViewName,
    revisions: &mut BTreeMap<Revision, RevisionRow>,
) -> Result<(), Refusal> {
    if !has_table(connection, "gate").await? {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT revision, number, sql_hash, passed, detail, (extract(epoch FROM at) * 1000)::bigint AS at,
                (extract(epoch FROM failing_since) * 1000)::bigint AS failing_since
         FROM millrace.gate WHERE namespace = $1 AND view = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(connection)
    .await?;
    for row in rows {
        let Some(revision) = revisions.get_mut(&Revision(row.try_get("revision")?)) else { continue };
        let answer = Answer {
            sql_hash: row.try_get("sql_hash")?,
            passed: row.try_get("passed")?,
            detail: row.try_get("detail")?,
            at: Moment(row.try_get("at")?),
            failing_since: row.try_get::<Option<i64>, _>("failing_since")?.map(Moment),
        };
        revision.answers.insert(row.try_get("number")?, answer);
    }
    Ok(())
}
