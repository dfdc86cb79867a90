//! Who may read the target: the roles that the resource names, and whoever others let read it.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    refusal::Refusal,
    target::is_ours,
};
use crate::view::{desired::Identity, name::Target};
use millrace_contract::ident::quote;
use sqlx::PgPool;

/// Lets `readers` read the target, and remembers that it did.
pub async fn grant(pool: &PgPool, view: &Identity, target: &Target, readers: &[String]) -> Result<Performed, Refusal> {
    let schema = quote(&target.schema);
    change(
        pool,
        view,
        target,
        readers,
        |relation, role| format!("GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {relation} TO {role}"),
        "UPDATE millrace.view
         SET readers = ARRAY(SELECT unnest(readers)
                             UNION (SELECT unnest($3::text[]) INTERSECT SELECT rolname::text FROM pg_roles) ORDER BY 1)
         WHERE namespace = $1 AND name = $2",
    )
    .await
}

/// Takes the target from `readers` that were let read it. The schema they keep: it may hold other targets of theirs.
pub async fn revoke(pool: &PgPool, view: &Identity, target: &Target, readers: &[String]) -> Result<Performed, Refusal> {
    change(
        pool,
        view,
        target,
        readers,
        |relation, role| format!("REVOKE SELECT ON {relation} FROM {role}"),
        "UPDATE millrace.view SET readers = ARRAY(SELECT unnest(readers) EXCEPT SELECT unnest($3::text[]) ORDER BY 1)
         WHERE namespace = $1 AND name = $2",
    )
    .await
}

/// Does `rights` for each of `readers` that is a role, and `remembers` it, while the target is the view's own: what has
/// taken its name since is left alone.
async fn change(
    pool: &PgPool,
    view: &Identity,
    target: &Target,
    readers: &[String],
    rights: impl Fn(&str, &str) -> String,
    remembers: &'static str,
) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    if lock_view(&mut transaction, view).await?.is_none() || !is_ours(&mut transaction, &view.name, target).await? {
        return Ok(changed());
    }
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1")
            .bind(readers)
            .fetch_all(&mut *transaction)
            .await?;
    for role in roles {
        execute(&mut transaction, rights(&target.quoted(), &quote(&role))).await?;
    }
    sqlx::query(remembers)
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(readers)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}
