//! The first statement of every epoch: lock this epoch's positions, in order, and advance them if they are still ours.

use super::{
    epoch::Advance,
    error::StoreError,
    lease::{self, HOLD},
    store::RevisionName,
};
use millrace_contract::{Topics, catalog::LEASE_SECONDS, faults::sabotaged};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// The last event time that is kept, milliseconds: the end of the year 9999. Later ones come of a wrong unit or of
/// nonsense, most who read a timestamp cannot read them, and Postgres's own end follows soon.
pub const LAST_EVENT_TIME: i64 = 253_402_300_799_999;

/// What the fence learns from the rows it locks.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    /// Whether state must be read under the view's advisory locks.
    pub shared: bool,
    /// Whether readers see this revision.
    pub live: bool,
}

/// A commit that readers see is durable before they do; one that nobody reads yet need not be, because a worker
/// never goes on from memory after a lost connection.
const FENCE: &str = "
WITH epoch AS (
    SELECT * FROM unnest($4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                         $11::bigint[], $12::bigint[], $13::bigint[])
        AS e(topic, partition, owner, old, new, event_time, records, bytes, dead_letters, lag)
), mine AS (
    SELECT p.topic, p.partition, e.new, e.event_time, e.records, e.bytes, e.dead_letters, e.lag
    FROM millrace.progress p JOIN epoch e ON p.topic = e.topic AND p.partition = e.partition
    WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3
      AND {owned}
      AND EXISTS (SELECT FROM millrace.revision r
                  WHERE r.namespace = $1 AND r.view = $2 AND r.revision = $3
                    AND r.state IN ('open', 'standby'))
    ORDER BY p.topic, p.partition
    FOR UPDATE OF p
)
UPDATE millrace.progress p
SET next_offset = m.new,
    lease_until = clock_timestamp() + make_interval(secs => $14),
    event_time = greatest(p.event_time, timestamptz 'epoch' + m.event_time * interval '1 millisecond'),
    records = p.records + m.records,
    bytes = p.bytes + m.bytes,
    dead_letters = p.dead_letters + m.dead_letters,
    lag_records = coalesce(m.lag, p.lag_records),
    committed_at = clock_timestamp()
FROM mine m
WHERE p.namespace = $1 AND p.view = $2 AND p.revision = $3 AND p.topic = m.topic AND p.partition = m.partition
RETURNING p.partition, p.shared, {live}, {hold},
          set_config('synchronous_commit', CASE WHEN {live} THEN 'on' ELSE 'off' END, true), p.topic";

/// Whether the revision is the one that readers see.
const LIVE: &str =
    "coalesce((SELECT v.live_revision = $3 FROM millrace.view v WHERE v.namespace = $1 AND v.name = $2), false)";

/// Passes the fence, or says which partitions were lost or are held. A transaction is open, and this is its first
/// statement; what is refused is rolled back.
pub async fn pass(
    connection: &mut PgConnection,
    name: &RevisionName,
    topics: &Topics,
    advances: &[Advance],
) -> Result<Passed, StoreError> {
    let owned = match () {
        () if sabotaged("no_owner_check") => "true",
        () if sabotaged("trust_memory_after_reconnect") => "p.owner = e.owner",
        () => "p.owner = e.owner AND p.next_offset = e.old",
    };
    let sql = FENCE.replace("{owned}", owned).replace("{live}", LIVE).replace("{hold}", HOLD);
    let (names, partitions) = lease::places(topics, advances.iter().map(|advance| advance.partition));
    let column = |value: fn(&Advance) -> i64| advances.iter().map(value).collect::<Vec<i64>>();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&name.namespace)
        .bind(&name.view)
        .bind(&name.revision)
        .bind(names)
        .bind(partitions)
        .bind(column(|advance| advance.owner))
        .bind(column(|advance| advance.from))
        .bind(column(|advance| advance.to))
        .bind(advances.iter().map(|advance| advance.event_time).collect::<Vec<Option<i64>>>())
        .bind(column(|advance| advance.records))
        .bind(column(|advance| advance.bytes))
        .bind(column(|advance| advance.dead_letters))
        .bind(advances.iter().map(|advance| advance.lag).collect::<Vec<Option<i64>>>())
        .bind(f64::from(LEASE_SECONDS))
        .fetch_all(&mut *connection)
        .await
        // A position that Postgres refuses is no row's fault: without any row it would be refused again.
        .map_err(StoreError::Postgres)?;
    let mut passed = Passed { shared: false, live: false };
    let mut missing: BTreeSet<i32> = advances.iter().map(|advance| advance.partition).collect();
    let mut holds: BTreeMap<i32, i64> = BTreeMap::new();
    for row in &rows {
        let partition = lease::task(topics, row.try_get(5)?, row.try_get(0)?);
        missing.remove(&partition);
        passed.shared |= row.try_get::<bool, _>(1)?;
        passed.live |= row.try_get::<bool, _>(2)?;
        holds.extend(row.try_get::<Option<i64>, _>(3)?.map(|hold| (partition, hold)));
    }
    let passes =
        |partition: i32, hold: i64| advances.iter().any(|advance| advance.partition == partition && advance.to > hold);
    holds.retain(|&partition, &mut hold| passes(partition, hold) && !sabotaged("ignore_hold"));
    if !missing.is_empty() {
        Err(StoreError::Lost(missing.into_iter().collect()))
    } else if !holds.is_empty() {
        Err(StoreError::Held(holds))
    } else {
        Ok(passed)
    }
}
