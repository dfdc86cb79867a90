//! Who may read the target: the roles that the resource names, and whoever others let read it.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    refusal::Refusal,
};
use crate::view::{desired::Identity, name::Target};
use millrace_contract::ident::quote;
use sqlx::{PgConnection, PgPool};

/// Lets `readers` read the target, and remembers that it did.
pub async fn grant(pool: &PgPool, view: &Identity, target: &Target, readers: &[String]) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    if lock_view(&mut transaction, view).await?.is_none() {
        return Ok(changed());
    }
    for reader in readers {
        let reader = quote(reader);
        execute(&mut transaction, format!("GRANT USAGE ON SCHEMA {} TO {reader}", quote(&target.schema))).await?;
        execute(&mut transaction, format!("GRANT SELECT ON {} TO {reader}", target.quoted())).await?;
    }
    remember(
        &mut transaction,
        view,
        "UPDATE millrace.view SET readers = ARRAY(SELECT unnest(readers) UNION SELECT unnest($3::text[]) ORDER BY 1)
         WHERE namespace = $1 AND name = $2",
        readers,
    )
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

/// Takes the target from `readers` that were let read it. The schema they keep: it may hold other targets of theirs.
pub async fn revoke(pool: &PgPool, view: &Identity, target: &Target, readers: &[String]) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    if lock_view(&mut transaction, view).await?.is_none() {
        return Ok(changed());
    }
    // A role that was dropped has no rights left to take.
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1")
            .bind(readers)
            .fetch_all(&mut *transaction)
            .await?;
    for role in roles {
        execute(&mut transaction, format!("REVOKE SELECT ON {} FROM {}", target.quoted(), quote(&role))).await?;
    }
    remember(
        &mut transaction,
        view,
        "UPDATE millrace.view SET readers = ARRAY(SELECT unnest(readers) EXCEPT SELECT unnest($3::text[]) ORDER BY 1)
         WHERE namespace = $1 AND name = $2",
        readers,
    )
    .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}

async fn remember(
    connection: &mut PgConnection,
    view: &Identity,
    sql: &'static str,
    readers: &[String],
) -> Result<(), Refusal> {
    sqlx::query(sql).bind(&view.name.namespace).bind(&view.name.name).bind(readers).execute(connection).await?;
    Ok(())
}
