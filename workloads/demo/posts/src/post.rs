//! A post, as the table keeps it and the topic carries it, and as readers see it beside its author.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, Row, postgres::PgRow};

/// The field order is the order in the JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    pub id: i64,
    pub user_id: i64,
    pub title: String,
    pub content: String,
    pub created_at: DateTime<Utc>,
}

/// Of an author whom the view of the users does not have, or no longer, name and department are unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthoredPost {
    #[serde(flatten)]
    pub post: Post,
    pub name: Option<String>,
    pub department: Option<String>,
}

impl FromRow<'_, PgRow> for Post {
    fn from_row(row: &PgRow) -> sqlx::Result<Post> {
        Ok(Post {
            id: row.try_get("id")?,
            user_id: row.try_get("user_id")?,
            title: row.try_get("title")?,
            content: row.try_get("content")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for AuthoredPost {
    fn from_row(row: &PgRow) -> sqlx::Result<AuthoredPost> {
        let post = Post::from_row(row)?;
        Ok(AuthoredPost { post, name: row.try_get("name")?, department: row.try_get("department")? })
    }
}
