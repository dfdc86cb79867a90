//! Verifications: a copy of the live revision is made, and what became of it is remembered.

use super::{
    super::Performed,
    catalog::{Locked, changed, has_table, lock_view},
    refusal::Refusal,
    revision::{give_up, make_tables},
};
use crate::view::{
    desired::Identity,
    moment::Moment,
    name::{Revision, ViewName},
    verification::{Beginning, Verification},
};
use millrace_crds::VerificationResult;
use sqlx::{PgConnection, PgPool, Row};

/// Begins a verification that nobody has asked for.
pub async fn verify(pool: &PgPool, view: &Identity, beginning: &Beginning) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    if !begin(&mut transaction, view, &row, None, beginning).await? {
        return Ok(changed());
    }
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Makes the copy, or remembers why there is none; false where a verification goes on, or another revision is live.
pub async fn begin(
    connection: &mut PgConnection,
    view: &Identity,
    row: &Locked,
    id: Option<&str>,
    beginning: &Beginning,
) -> Result<bool, Refusal> {
    let ViewName { namespace, name } = &view.name;
    let goes_on: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM millrace.verification WHERE namespace = $1 AND view = $2 AND result IS NULL)",
    )
    .bind(namespace)
    .bind(name)
    .fetch_one(&mut *connection)
    .await?;
    if goes_on {
        return Ok(false);
    }
    let (copy, refusal) = match beginning {
        Beginning::Build { live, copy, tables } => {
            if row.live.as_ref() != Some(&live.0) || !make_copy(connection, view, &row.role, live, copy, tables).await?
            {
                return Ok(false);
            }
            (Some(copy), None)
        }
        Beginning::Refuse(why) => (None, Some(why)),
    };
    sqlx::query("DELETE FROM millrace.verification WHERE namespace = $1 AND view = $2")
        .bind(namespace)
        .bind(name)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO millrace.verification (namespace, view, id, revision, result, message)
         VALUES ($1, $2, $3, $4, CASE WHEN $5::text IS NOT NULL THEN 'Refused' END, $5::text)",
    )
    .bind(namespace)
    .bind(name)
    .bind(id)
    .bind(copy.map(|copy| &copy.0))
    .bind(refusal)
    .execute(connection)
    .await?;
    Ok(true)
}

/// Makes a revision of the live one's plan that begins where that has begun; false where it is there already.
async fn make_copy(
    connection: &mut PgConnection,
    view: &Identity,
    role: &str,
    live: &Revision,
    copy: &Revision,
    tables: &[String],
) -> Result<bool, Refusal> {
    let schema = view.name.schema(copy);
    let made = sqlx::query(
        "INSERT INTO millrace.revision (namespace, view, revision, spec_hash, schema_name, plan, plan_format,
                                        errors_policy, errors_stop_above, worker_image)
         SELECT namespace, view, $4, spec_hash, $5, plan, plan_format, errors_policy, errors_stop_above, worker_image
         FROM millrace.revision WHERE namespace = $1 AND view = $2 AND revision = $3 ON CONFLICT DO NOTHING",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .bind(&copy.0)
    .bind(&schema)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(false);
    }
    make_tables(connection, &schema, tables, role).await?;
    sqlx::query(
        "INSERT INTO millrace.progress (namespace, view, revision, task, topic, partition, topic_id, kafka_cluster_id,
                                        start_offset, next_offset, shared, writer)
         SELECT namespace, view, $4, task, topic, partition, topic_id, kafka_cluster_id, start_offset, start_offset,
                shared, writer
         FROM millrace.progress WHERE namespace = $1 AND view = $2 AND revision = $3",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&live.0)
    .bind(&copy.0)
    .execute(connection)
    .await?;
    Ok(true)
}

/// Remembers what the verification came to; its copy is given up, and dropped like every other that was.
pub async fn end(
    pool: &PgPool,
    view: &Identity,
    copy: &Revision,
    result: VerificationResult,
    message: &str,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    let ended = sqlx::query(
        "UPDATE millrace.verification SET result = $4, message = $5
         WHERE namespace = $1 AND view = $2 AND revision = $3 AND result IS NULL",
    )
    .bind(&view.name.namespace)
    .bind(&view.name.name)
    .bind(&copy.0)
    .bind(word(result))
    .bind(message)
    .execute(&mut *transaction)
    .await?;
    if ended.rows_affected() == 0 || row.live.as_ref() == Some(&copy.0) {
        return Ok(changed());
    }
    // One that a person gave up is given up already.
    give_up(&mut transaction, view, copy, message).await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

const RESULTS: [VerificationResult; 3] =
    [VerificationResult::Equal, VerificationResult::Different, VerificationResult::Refused];

fn word(result: VerificationResult) -> &'static str {
    match result {
        VerificationResult::Equal => "Equal",
        VerificationResult::Different => "Different",
        VerificationResult::Refused => "Refused",
    }
}

/// The verification of a view that goes on, or the last one.
pub async fn observe(connection: &mut PgConnection, name: &ViewName) -> Result<Option<Verification>, Refusal> {
    if !has_table(connection, "verification").await? {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT id, revision, (extract(epoch FROM begun_at) * 1000)::bigint AS begun_at, result, message
         FROM millrace.verification WHERE namespace = $1 AND view = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let result: Option<String> = row.try_get("result")?;
    let message: Option<String> = row.try_get("message")?;
    let result = result.and_then(|text| RESULTS.into_iter().find(|result| word(*result) == text));
    Ok(Some(Verification {
        id: row.try_get("id")?,
        copy: row.try_get::<Option<String>, _>("revision")?.map(Revision),
        begun_at: Moment(row.try_get("begun_at")?),
        result: result.map(|result| (result, message.unwrap_or_default())),
    }))
}
