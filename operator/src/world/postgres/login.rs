//! The password of a view's role.

use super::{
    super::Performed,
    catalog::{changed, execute, lock_view},
    refusal::Refusal,
    scram::verifier,
};
use crate::view::desired::Identity;
use millrace_contract::ident::{hex_digest, literal, quote};
use sqlx::PgPool;

/// What the catalog remembers of a password: enough to tell it from another, and nothing to log in with.
pub fn digest(view: &Identity, password: &str) -> String {
    hex_digest(["millrace password", &view.name.namespace, &view.name.name, password], 32)
}

/// Gives the view's role `password`.
pub async fn apply(pool: &PgPool, view: &Identity, password: &str) -> Result<Performed, Refusal> {
    let mut transaction = pool.begin().await?;
    let Some(row) = lock_view(&mut transaction, view).await? else { return Ok(changed()) };
    let role = quote(&row.role);
    let verifier = verifier(password, rand::random());
    execute(&mut transaction, format!("ALTER ROLE {role} LOGIN PASSWORD {}", literal(&verifier))).await?;
    sqlx::query("UPDATE millrace.view SET password_digest = $3 WHERE namespace = $1 AND name = $2")
        .bind(&view.name.namespace)
        .bind(&view.name.name)
        .bind(digest(view, password))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Performed::Done)
}
