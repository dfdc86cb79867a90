//! Versions of deleted keys, dropped once no record that is still to be read can be older than they are.

use super::{error::StoreError, statement::place, store::RevisionName};
use millrace_contract::{
    ident::quote,
    table::{DELETED, TIMESTAMP, Table, WriteRule},
};
use sqlx::{AssertSqlSafe, PgConnection};

/// How long a deleted key's version is kept.
const KEPT_DAYS: i64 = 7;
/// Rows a statement: it holds few locks, and only shortly.
const BATCH: i64 = 1_000;

/// Drops one batch from each table that keeps versions; returns how many rows went.
///
/// Time is the log's, not the clock's: a partition that is behind has seen time up to its newest record only. While a
/// partition is held by nobody or stands still its lag is not known, and nothing goes.
pub async fn prune(
    connection: &mut PgConnection,
    name: &RevisionName,
    schema: &str,
    tables: &[Table],
) -> Result<u64, StoreError> {
    let mut gone = 0;
    for table in tables.iter().filter(|table| table.write == WriteRule::Versioned) {
        let place = place(schema, &table.name);
        let (deleted, timestamp) = (quote(DELETED), quote(TIMESTAMP));
        let sql = format!(
            "WITH seen AS (
                 SELECT min(CASE WHEN p.lease_until < clock_timestamp() OR p.lag_records IS NULL
                                      OR p.problem IS NOT NULL THEN '-infinity'
                                 WHEN p.lag_records = 0 THEN clock_timestamp()
                                 ELSE coalesce(p.event_time, '-infinity') END) AS at
                 FROM millrace.progress p WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
             ), old AS (
                 SELECT t.ctid FROM {place} AS t
                 WHERE t.{deleted} AND t.{timestamp} < (
                     SELECT CASE WHEN seen.at = '-infinity' THEN -9223372036854775808
                            ELSE (extract(epoch FROM seen.at) * 1000)::bigint - $4 END FROM seen)
                 LIMIT $5
                 FOR UPDATE SKIP LOCKED
             )
             DELETE FROM {place} AS t WHERE t.ctid = ANY (ARRAY(SELECT ctid FROM old)) AND t.{deleted}"
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(&name.namespace)
            .bind(&name.view)
            .bind(&name.revision)
            .bind(KEPT_DAYS * 24 * 3_600 * 1_000)
            .bind(BATCH)
            .execute(&mut *connection)
            .await?;
        gone += done.rows_affected();
    }
    Ok(gone)
}
