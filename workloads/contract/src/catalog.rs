//! The catalog: schema `millrace` of the target database, which operator and workers share.
//!
//! Migrations are additive. A program that finds a version above its own changes nothing.

use crate::ident::{literal, quote};

/// The statements of each version, first to last; version n is `MIGRATIONS[n - 1]`.
pub const MIGRATIONS: &[&str] = &[
    include_str!("catalog/0001.sql"),
    include_str!("catalog/0002.sql"),
    include_str!("catalog/0003.sql"),
    include_str!("catalog/0004.sql"),
    include_str!("catalog/0005.sql"),
    include_str!("catalog/0006.sql"),
    include_str!("catalog/0007.sql"),
    include_str!("catalog/0008.sql"),
    include_str!("catalog/0009.sql"),
    include_str!("catalog/0010.sql"),
    include_str!("catalog/0011.sql"),
];

/// The version this program writes.
pub const CATALOG_VERSION: i32 = MIGRATIONS.len() as i32;

/// Seconds a task belongs to its holder after its last commit or renewal.
pub const LEASE_SECONDS: i32 = 7;

/// Advisory lock buckets of a view (see the second argument of `pg_advisory_xact_lock(int4, int4)`); the first is
/// `hashtext(role)` of the view.
pub const LOCK_BUCKETS: i32 = 16;

/// Settings of every writing role, set with `ALTER ROLE … SET`: a stopped worker's open transaction must not block its
/// successor, and what a worker no longer waits for must not go on.
pub const ROLE_SETTINGS: &[(&str, &str)] = &[
    ("idle_in_transaction_session_timeout", "10s"),
    ("statement_timeout", "15s"),
    ("lock_timeout", "5s"),
    ("client_connection_check_interval", "2s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
    ("search_path", "pg_catalog"),
    ("timezone", "UTC"),
];

/// What lets a view's role do what workers do in the catalog, and in `schema`, the schema of one of its revisions, whose
/// tables exist. Row-level security keeps it to its own rows; repeating a grant changes nothing.
pub fn worker_grants(role: &str, schema: &str) -> [String; 3] {
    let admit = format!("SELECT millrace.admit({})", literal(role));
    let role = quote(role);
    let schema = quote(schema);
    [
        admit,
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
    ]
}
