//! What the post service is: its tables and its topic.

use anyhow::Result;
use millrace_demo_kit::{
    outbox,
    schema::Schema,
    service::{ServeArguments, Service, nothing_beside},
};

use crate::api;

pub const SCHEMA: Schema = Schema {
    name: "demo_posts",
    steps: &[
        "CREATE TABLE posts (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             user_id bigint NOT NULL,
             title text NOT NULL,
             content text NOT NULL,
             created_at timestamptz NOT NULL
         );
         CREATE INDEX posts_user ON posts (user_id);",
        outbox::TABLE,
    ],
};

pub const SERVICE: Service = Service { schema: SCHEMA, topic: "post-events" };

pub async fn serve(arguments: ServeArguments) -> Result<()> {
    SERVICE.serve(arguments, api::routes, nothing_beside).await
}
