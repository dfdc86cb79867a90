//! The users' table. Every change writes its event to the outbox in the same transaction, after it has the
//! user's row lock: so the events of one user have the order of its commits.

use chrono::{DateTime, Utc};
use millrace_demo_kit::{failure::Failure, input::Invalid, outbox, page::Page};
use sqlx::{PgPool, Postgres, Transaction};

use crate::{event::UserEvent, input::UserInput, user::User};

pub async fn list(pool: &PgPool, page: Page) -> Result<Vec<User>, Failure> {
    Ok(sqlx::query_as(
        "SELECT id, name, email, department, status, created_at, updated_at
         FROM demo_users.users WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(page.after)
    .bind(page.limit)
    .fetch_all(pool)
    .await?)
}

pub async fn get(pool: &PgPool, id: i64) -> Result<User, Failure> {
    sqlx::query_as(
        "SELECT id, name, email, department, status, created_at, updated_at FROM demo_users.users WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| no_such_user(id))
}

pub async fn create(pool: &PgPool, input: &UserInput) -> Result<User, Failure> {
    let mut transaction = pool.begin().await?;
    let user: User = sqlx::query_as(
        "INSERT INTO demo_users.users (name, email, department, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, now(), now())
         RETURNING id, name, email, department, status, created_at, updated_at",
    )
    .bind(&input.name)
    .bind(&input.email)
    .bind(&input.department)
    .bind(input.status.as_str())
    .fetch_one(&mut *transaction)
    .await
    .map_err(|error| taken_or(error, input))?;
    finish(transaction, user.id, &UserEvent::created(&user)).await?;
    Ok(user)
}

pub async fn replace(pool: &PgPool, id: i64, input: &UserInput) -> Result<User, Failure> {
    let mut transaction = pool.begin().await?;
    // A user's time never goes back, whatever the server's clock does.
    let user: User = sqlx::query_as(
        "UPDATE demo_users.users SET name = $2, email = $3, department = $4, status = $5,
                updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
         WHERE id = $1
         RETURNING id, name, email, department, status, created_at, updated_at",
    )
    .bind(id)
    .bind(&input.name)
    .bind(&input.email)
    .bind(&input.department)
    .bind(input.status.as_str())
    .fetch_optional(&mut *transaction)
    .await
    .map_err(|error| taken_or(error, input))?
    .ok_or_else(|| no_such_user(id))?;
    finish(transaction, id, &UserEvent::updated(&user)).await?;
    Ok(user)
}

pub async fn delete(pool: &PgPool, id: i64) -> Result<(), Failure> {
    let mut transaction = pool.begin().await?;
    let at: DateTime<Utc> = sqlx::query_scalar(
        "DELETE FROM demo_users.users WHERE id = $1
         RETURNING greatest(clock_timestamp(), updated_at + interval '1 microsecond')",
    )
    .bind(id)
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| no_such_user(id))?;
    finish(transaction, id, &UserEvent::deleted(id, at)).await
}

/// The statement before this one holds the user's row lock, so no other change of the user can take an outbox
/// id between this one and the commit.
async fn finish(
    mut transaction: Transaction<'_, Postgres>,
    user_id: i64,
    event: &UserEvent<'_>,
) -> Result<(), Failure> {
    outbox::append(&mut transaction, &user_id.to_string(), &event.to_json()).await?;
    Ok(transaction.commit().await?)
}

fn no_such_user(id: i64) -> Failure {
    Failure::Missing(Invalid::new("id", id.to_string(), "the id of an existing user"))
}

fn taken_or(error: sqlx::Error, input: &UserInput) -> Failure {
    match error.as_database_error() {
        Some(refusal) if refusal.constraint() == Some("users_email") => {
            Failure::Conflict(Invalid::new("email", &input.email, "an address that no other user has"))
        }
        _ => Failure::Postgres(error),
    }
}
