//! What the user service is: its tables and its topic.

use anyhow::Result;
use millrace_demo_kit::{
    schema::Schema,
    service::{ServeArguments, Service, nothing_beside},
};

use crate::api;

pub const SCHEMA: Schema = Schema {
    name: "demo_users",
    steps: &[
        r#"
CREATE TABLE demo_users.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    department text NOT NULL,
    status text NOT NULL CONSTRAINT users_status CHECK (status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email ON demo_users.users (lower(email));

-- An event waits here from the commit of its change until the brokers have acknowledged it.
CREATE TABLE demo_users.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    value text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX outbox_unsent ON demo_users.outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON demo_users.outbox (sent_at) WHERE sent_at IS NOT NULL;
"#,
        // The outbox that every service has: a key is text.
        "ALTER TABLE outbox ALTER COLUMN user_id TYPE text;
         ALTER TABLE outbox RENAME COLUMN user_id TO key;",
    ],
};

pub const SERVICE: Service = Service { schema: SCHEMA, topic: "user-events" };

pub async fn serve(arguments: ServeArguments) -> Result<()> {
    SERVICE.serve(arguments, api::routes, nothing_beside).await
}
