//! The catalog: schema `millrace` of the target database, which operator and workers share.
//!
//! Migrations are additive. A program that finds a version above its own changes nothing.

/// The statements of each version, first to last; version n is `MIGRATIONS[n - 1]`.
pub const MIGRATIONS: &[&str] = &[include_str!("catalog/0001.sql")];

/// The version this program writes.
pub const CATALOG_VERSION: i32 = MIGRATIONS.len() as i32;

/// Seconds a task belongs to its holder after its last commit or renewal.
pub const LEASE_SECONDS: i32 = 8;

/// Advisory lock buckets of a view (see the second argument of `pg_advisory_xact_lock(int4, int4)`); the first is
/// `hashtext(role)` of the view.
pub const LOCK_BUCKETS: i32 = 16;

/// Settings of every writing role, set with `ALTER ROLE … SET`: a stopped worker's open transaction must not block its
/// successor.
pub const ROLE_SETTINGS: &[(&str, &str)] = &[
    ("idle_in_transaction_session_timeout", "10s"),
    ("statement_timeout", "60s"),
    ("lock_timeout", "5s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
    ("search_path", "pg_catalog"),
    ("timezone", "UTC"),
];
