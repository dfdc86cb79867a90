//! The posts' table, and the view of the users beside it.

use millrace_demo_kit::{failure::Failure, input::Invalid, outbox, page::Page};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    event::PostEvent,
    input::PostInput,
    post::{AuthoredPost, Post},
};

pub async fn create(pool: &PgPool, input: &PostInput) -> Result<Post, Failure> {
    let mut transaction = pool.begin().await?;
    let post: Post = sqlx::query_as(
        "INSERT INTO posts (user_id, title, content, created_at) VALUES ($1, $2, $3, now())
         RETURNING id, user_id, title, content, created_at",
    )
    .bind(input.user_id)
    .bind(&input.title)
    .bind(&input.content)
    .fetch_one(&mut *transaction)
    .await?;
    let event = PostEvent::created(Uuid::new_v4().to_string(), &post);
    outbox::append(&mut transaction, &post.id.to_string(), &event.to_json()).await?;
    transaction.commit().await?;
    Ok(post)
}

/// Every post with its author, whether the view has that user or not.
pub async fn with_users(pool: &PgPool, page: Page) -> Result<Vec<AuthoredPost>, Failure> {
    let list = sqlx::query_as(
        "SELECT p.id, p.user_id, p.title, p.content, p.created_at, u.name, u.department
         FROM posts p LEFT JOIN shop.user_view u ON u.id = p.user_id
         WHERE p.id > $1 ORDER BY p.id LIMIT $2",
    );
    list.bind(page.after).bind(page.limit).fetch_all(pool).await.map_err(without_view)
}

/// Posts of those who are in the department now.
pub async fn by_department(pool: &PgPool, department: &str, page: Page) -> Result<Vec<AuthoredPost>, Failure> {
    let list = sqlx::query_as(
        "SELECT p.id, p.user_id, p.title, p.content, p.created_at, u.name, u.department
         FROM posts p JOIN shop.user_view u ON u.id = p.user_id
         WHERE u.department = $1 AND p.id > $2 ORDER BY p.id LIMIT $3",
    );
    list.bind(department).bind(page.after).bind(page.limit).fetch_all(pool).await.map_err(without_view)
}

/// 42P01: there is no such relation. It is the only one here that somebody else makes.
fn without_view(error: sqlx::Error) -> Failure {
    match error.as_database_error().and_then(|refusal| refusal.code()) {
        Some(code) if code == "42P01" => Failure::Unavailable(Invalid::new(
            "shop.user_view",
            "no such view",
            "the view of the users: kubectl apply -f examples/user-view.yaml",
        )),
        _ => Failure::Postgres(error),
    }
}
