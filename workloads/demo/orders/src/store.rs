//! The orders' table. Every change writes its event to the outbox in the same transaction.

use millrace_demo_kit::{failure::Failure, input::Invalid, outbox, page::Page};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{event::OrderEvent, input::OrderInput, order::Order};

pub async fn list(pool: &PgPool, page: Page) -> Result<Vec<Order>, Failure> {
    let list = sqlx::query_as(
        "SELECT id, user_id, product, quantity, unit_price, status, created_at
         FROM orders WHERE id > $1 ORDER BY id LIMIT $2",
    );
    Ok(list.bind(page.after).bind(page.limit).fetch_all(pool).await?)
}

pub async fn get(pool: &PgPool, id: i64) -> Result<Order, Failure> {
    let get = sqlx::query_as(
        "SELECT id, user_id, product, quantity, unit_price, status, created_at FROM orders WHERE id = $1",
    );
    let missing = || Failure::Missing(Invalid::new("id", id.to_string(), "the id of an existing order"));
    get.bind(id).fetch_optional(pool).await?.ok_or_else(missing)
}

pub async fn create(pool: &PgPool, input: &OrderInput) -> Result<Order, Failure> {
    let mut transaction = pool.begin().await?;
    let order: Order = sqlx::query_as(
        "INSERT INTO orders (user_id, product, quantity, unit_price, status, created_at)
         VALUES ($1, $2, $3, $4, 'PLACED', now())
         RETURNING id, user_id, product, quantity, unit_price, status, created_at",
    )
    .bind(input.user_id)
    .bind(&input.product)
    .bind(input.quantity)
    .bind(input.unit_price)
    .fetch_one(&mut *transaction)
    .await?;
    let event = OrderEvent::created(Uuid::new_v4().to_string(), order);
    outbox::append(&mut transaction, &event.key(), &event.to_json()).await?;
    transaction.commit().await?;
    Ok(event.order)
}
