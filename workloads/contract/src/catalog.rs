//! The catalog: schema `millrace` of the target database, which operator and workers share.
//!
//! Migrations are additive. A program that finds a version above its own changes nothing.

use crate::ident::quote;

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

/// The columns of `millrace.progress` that a worker changes; the rest is the operator's.
const PROGRESS_COLUMNS_OF_A_WORKER: &[&str] = &[
    "next_offset",
    "owner",
    "holder",
    "lease_until",
    "shared",
    "event_time",
    "lag_records",
    "records",
    "bytes",
    "dead_letters",
    "problem",
    "committed_at",
];

/// What a view's role may do in the catalog and in `schema`, the schema of one of its revisions, whose tables exist.
/// Row-level security keeps it to its own rows; repeating a grant changes nothing.
pub fn worker_grants(role: &str, schema: &str) -> Vec<String> {
    let role = quote(role);
    let schema = quote(schema);
    vec![
        format!("GRANT USAGE ON SCHEMA millrace TO {role}"),
        format!("GRANT SELECT ON millrace.catalog, millrace.view, millrace.revision TO {role}"),
        format!("GRANT SELECT, UPDATE ({}) ON millrace.progress TO {role}", PROGRESS_COLUMNS_OF_A_WORKER.join(", ")),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON millrace.worker TO {role}"),
        format!("GRANT INSERT ON millrace.dead_letter TO {role}"),
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_changes_positions_and_leases_but_not_what_a_task_is() {
        let grants = worker_grants("mr_\"x", "부서");
        assert!(grants.iter().all(|grant| grant.contains("TO \"mr_\"\"x\"")));
        let progress = grants.iter().find(|grant| grant.contains("millrace.progress")).expect("progress is granted");
        assert!(progress.contains("next_offset"));
        for fixed in ["topic_id", "kafka_cluster_id", "start_offset", "writer", "task"] {
            assert!(!progress.contains(fixed), "{fixed} is the operator's");
        }
        assert!(grants.last().expect("not empty").contains("IN SCHEMA \"부서\""));
    }
}
