//! One epoch as one transaction: fence, locks, state, rows, dead letters, commit. Between its first and its last
//! statement nothing is awaited but Postgres.

use super::{
    codec::{Column, element_bytes, read_rows},
    error::StoreError,
    fence::{self, Passed},
    lease,
    sabotage::shuffle,
    statement,
    store::Store,
};
use crate::decode::Reason;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use millrace_contract::{
    Plan, SqlType, Table,
    catalog::LOCK_BUCKETS,
    faults::{sabotaged, step},
    table::WriteRule,
};
use millrace_dataflow::{EvalError, Mapped, Request, Wants, Write, value::canonical_keys};
use sqlx::{AssertSqlSafe, Executor, Postgres, Row, postgres::PgArguments, query::Query};
use std::collections::{BTreeMap, BTreeSet};

/// Rows a statement: `unnest` keeps its rows in work memory.
const ROWS_A_STATEMENT: usize = 8_192;

/// How far one partition goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub owner: i64,
    /// The position before; another one in Postgres refuses the epoch.
    pub from: i64,
    pub to: i64,
    /// The newest timestamp among its records, milliseconds.
    pub event_time: Option<i64>,
    pub records: i64,
    /// Of their keys and values.
    pub bytes: i64,
    pub dead_letters: i64,
    pub lag: Option<i64>,
}

/// A record that was not applied, as it is stored.
#[derive(Debug, Clone)]
pub struct DeadLetter<'a> {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub offset: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub reason: Reason,
    pub detail: &'a str,
}

/// Everything that one transaction does.
pub struct Epoch<'a> {
    pub advances: &'a [Advance],
    /// `None`: only positions move.
    pub mapped: Option<&'a Mapped>,
    pub dead_letters: &'a [DeadLetter<'a>],
}

/// What a committed epoch tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub live: bool,
    pub shared: bool,
    /// Rows written to all tables.
    pub rows: usize,
}

/// Commits `epoch`, or rolls it back and says why. State that turns out to be shared is read again under its locks.
pub(super) async fn commit(store: &mut Store, epoch: &Epoch<'_>) -> Result<Committed, StoreError> {
    loop {
        if let Some(committed) = attempt(store, epoch).await? {
            return Ok(committed);
        }
        tracing::info!("a key lies in several partitions: state is read under locks from now on");
        lease::mark_shared(&mut store.connection, &store.name).await?;
    }
}

/// One transaction. None where it was rolled back because a key in state that was read without locks is another
/// partition's.
async fn attempt(store: &mut Store, epoch: &Epoch<'_>) -> Result<Option<Committed>, StoreError> {
    store.connection.execute("BEGIN").await?;
    step("after_begin");
    match apply(store, epoch).await {
        Ok(Some(committed)) => {
            step("before_commit");
            // A commit that fails has an outcome that nobody knows, whatever its error.
            store.connection.execute("COMMIT").await.map_err(StoreError::Postgres)?;
            step("after_commit");
            Ok(Some(committed))
        }
        // Where the connection is gone the server rolls back by itself.
        Err(error @ StoreError::Silent(_)) => Err(error),
        undone => {
            store.connection.execute("ROLLBACK").await.map_err(StoreError::Postgres)?;
            undone
        }
    }
}

async fn apply(store: &mut Store, epoch: &Epoch<'_>) -> Result<Option<Committed>, StoreError> {
    let passed: Passed = fence::pass(&mut store.connection, &store.name, &store.topics, epoch.advances).await?;
    step("after_fence");
    if sabotaged("positions_before_rows") {
        store.connection.execute("COMMIT").await?;
        step("after_commit");
        store.connection.execute("BEGIN").await?;
    }
    let mut written = 0;
    if let Some(mapped) = epoch.mapped {
        let writes = read(store, mapped, passed.shared).await?;
        step("after_fetch");
        let Some(rows) = write(store, &writes, passed.shared).await? else { return Ok(None) };
        written = rows;
    }
    step("after_rows");
    insert_dead_letters(store, epoch.dead_letters).await?;
    step("after_dead_letters");
    Ok(Some(Committed { live: passed.live, shared: passed.shared, rows: written }))
}

/// What the epoch writes, from all that it reads: one round trip for each operator that reads state.
async fn read(store: &mut Store, mapped: &Mapped, shared: bool) -> Result<Vec<Write>, StoreError> {
    let dataflow = store.dataflow.clone();
    let fails = |error: EvalError| StoreError::Row { reason: Reason::Compute, detail: error.to_string() };
    let mut epoch = dataflow.epoch(mapped);
    while let Some(request) = epoch.request().map_err(fails)? {
        let state = fetch(store, &request, shared).await?;
        epoch.supply(&state).map_err(fails)?;
    }
    epoch.writes().map_err(fails)
}

/// Reads the state that the changes touch, in statements after the locks: they see what was committed until then. An
/// operator's locks come behind those of the operators before it, so that all epochs take them in one order.
async fn fetch(store: &mut Store, request: &Request, shared: bool) -> Result<Vec<RecordBatch>, StoreError> {
    let Request { node, takes_turns, wants } = request;
    let takes_turns = *takes_turns && !sabotaged("no_turns");
    if (takes_turns || shared) && !sabotaged("no_advisory_lock") {
        let buckets: BTreeSet<i32> =
            wants.iter().flat_map(|want| buckets(&want.keys, &lookup_types(&store.loaded.plan, want))).collect();
        let first = *node as i32 * LOCK_BUCKETS;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1), bucket) FROM unnest($2::integer[]) AS bucket")
            .bind(&store.loaded.role)
            .bind(buckets.into_iter().map(|bucket| first + bucket).collect::<Vec<i32>>())
            .execute(&mut store.connection)
            .await?;
        step("after_locks");
    }
    let mut state = Vec::with_capacity(wants.len());
    for want in wants {
        state.push(fetch_table(store, want).await?);
    }
    Ok(state)
}

fn lookup_types(plan: &Plan, want: &Wants) -> Vec<SqlType> {
    want.lookup.iter().map(|&index| plan.tables[want.table].columns[index].ty).collect()
}

async fn fetch_table(store: &mut Store, want: &Wants) -> Result<RecordBatch, StoreError> {
    let Wants { table, lookup, keys, deleted } = want;
    let types = lookup_types(&store.loaded.plan, want);
    let definition = &store.loaded.plan.tables[*table];
    let sql = store.tables[*table]
        .fetch
        .entry((lookup.clone(), *deleted))
        .or_insert_with(|| statement::fetch(&store.loaded.schema, definition, lookup, *deleted));
    let mut rows = Vec::with_capacity(keys.num_rows());
    for start in (0..keys.num_rows()).step_by(ROWS_A_STATEMENT) {
        let keys = keys.slice(start, ROWS_A_STATEMENT.min(keys.num_rows() - start));
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
        for (array, ty) in keys.columns().iter().zip(&types) {
            query = query.bind(Column { array, ty: *ty });
        }
        rows.extend(query.fetch_all(&mut store.connection).await?);
    }
    let columns: Vec<_> = definition.columns.iter().collect();
    Ok(read_rows(&rows, &columns)?)
}

/// The advisory lock buckets of keys, ascending. Equal keys have equal buckets in every worker.
fn buckets(keys: &RecordBatch, types: &[SqlType]) -> BTreeSet<i32> {
    let columns: Vec<(ArrayRef, SqlType)> =
        keys.columns().iter().zip(types).map(|(array, &ty)| (canonical_keys(ty, array), ty)).collect();
    let mut buckets = BTreeSet::new();
    element_bytes(&columns, |_, bytes| {
        // FNV-1a, 64 bits.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        buckets.insert(((hash ^ (hash >> 32)) % LOCK_BUCKETS as u64) as i32);
    });
    buckets
}

/// Writes batches in their order and drops the rows they empty, then looks up derived columns. Not the other way
/// round: looking up moves a row, and its place is what it is dropped by. None where state that is not known to be
/// shared is.
async fn write(store: &mut Store, writes: &[Write], shared: bool) -> Result<Option<usize>, StoreError> {
    let unlocked = !shared && !sabotaged("ignore_partitioner");
    let unlocked_state: Vec<usize> = store.loaded.plan.states().filter(|_| unlocked).collect();
    let mut written = 0;
    for Write { table, rows } in writes {
        written += rows.num_rows();
        let shuffled;
        let rows = if sabotaged("unsorted_keys") {
            shuffled = shuffle(rows);
            &shuffled
        } else {
            rows
        };
        if unlocked_state.contains(table) {
            if !rewrite_own(store, *table, rows).await? {
                return Ok(None);
            }
            continue;
        }
        let empty = write_table(store, *table, rows).await?;
        delete_empty(store, *table, &empty).await?;
    }
    if !sabotaged("extremes_not_recomputed") {
        for Write { table, rows } in writes {
            derive(store, *table, rows).await?;
        }
    }
    Ok(Some(written))
}

/// Writes state that was read without locks; false where a row of it is another partition's. A row of an own partition
/// is as it was read: nobody else passes that partition's fence.
async fn rewrite_own(store: &mut Store, table: usize, rows: &RecordBatch) -> Result<bool, StoreError> {
    let sql = statement::of_own_partition(&store.tables[table].write);
    let definition = &store.loaded.plan.tables[table];
    for start in (0..rows.num_rows()).step_by(ROWS_A_STATEMENT) {
        let chunk = rows.slice(start, ROWS_A_STATEMENT.min(rows.num_rows() - start));
        let written = bound(&sql, definition, &chunk).execute(&mut store.connection).await?;
        if written.rows_affected() < chunk.num_rows() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes one batch; returns the places of rows whose count reached 0.
async fn write_table(store: &mut Store, table: usize, rows: &RecordBatch) -> Result<Vec<String>, StoreError> {
    let definition = &store.loaded.plan.tables[table];
    let mut empty = Vec::new();
    for start in (0..rows.num_rows()).step_by(ROWS_A_STATEMENT) {
        let chunk = rows.slice(start, ROWS_A_STATEMENT.min(rows.num_rows() - start));
        let query = bound(&store.tables[table].write, definition, &chunk);
        for row in query.fetch_all(&mut store.connection).await? {
            empty.push(row.try_get(0)?);
        }
    }
    Ok(empty)
}

/// A statement that writes the rows of `chunk`.
fn bound<'q>(sql: &str, table: &Table, chunk: &'q RecordBatch) -> Query<'q, Postgres, PgArguments> {
    statement::written(table).into_iter().fold(sqlx::query(AssertSqlSafe(sql.to_owned())), |query, index| {
        query.bind(Column { array: chunk.column(index), ty: table.columns[index].ty })
    })
}

async fn delete_empty(store: &mut Store, table: usize, places: &[String]) -> Result<(), StoreError> {
    let Some(sql) = &store.tables[table].delete_empty else { return Ok(()) };
    if places.is_empty() || sabotaged("drop_zero_delete") {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(sql.clone())).bind(places).execute(&mut store.connection).await?;
    Ok(())
}

/// Recomputes the derived columns of the groups in `rows`, which this transaction has locked by writing them.
async fn derive(store: &mut Store, table: usize, rows: &RecordBatch) -> Result<(), StoreError> {
    let Store { connection, loaded, tables, .. } = store;
    let definition = &loaded.plan.tables[table];
    let WriteRule::Merge { extremes, .. } = &definition.write else { return Ok(()) };
    if extremes.is_empty() {
        return Ok(());
    }
    let keys: Vec<&ArrayRef> = definition.key.iter().map(|&index| rows.column(index)).collect();
    let mut by_nulls: BTreeMap<Vec<bool>, Vec<bool>> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let nulls: Vec<bool> = keys.iter().map(|array| array.is_null(row)).collect();
        by_nulls.entry(nulls).or_insert_with(|| vec![false; rows.num_rows()])[row] = true;
    }
    for (nulls, chosen) in by_nulls {
        let sql = tables[table]
            .derive
            .entry(nulls.clone())
            .or_insert_with(|| statement::derive(&loaded.schema, definition, extremes, &loaded.plan.tables, &nulls))
            .clone();
        let chosen = filter_record_batch(rows, &BooleanArray::from(chosen))
            .map_err(|error| StoreError::Postgres(sqlx::Error::Encode(error.into())))?;
        for start in (0..chosen.num_rows()).step_by(ROWS_A_STATEMENT) {
            let chunk = chosen.slice(start, ROWS_A_STATEMENT.min(chosen.num_rows() - start));
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
            for (&index, is_null) in definition.key.iter().zip(&nulls) {
                if !is_null {
                    query = query.bind(Column { array: chunk.column(index), ty: definition.columns[index].ty });
                }
            }
            query.execute(&mut *connection).await?;
        }
    }
    Ok(())
}

async fn insert_dead_letters(store: &mut Store, letters: &[DeadLetter<'_>]) -> Result<(), StoreError> {
    if letters.is_empty() || sabotaged("forget_dead_letters") {
        return Ok(());
    }
    let (topics, partitions) = lease::places(&store.topics, letters.iter().map(|letter| letter.partition));
    sqlx::query(
        "INSERT INTO millrace.dead_letter
             (namespace, view, revision, topic, partition, \"offset\", key, value, reason, detail, writer)
         SELECT $1, $2, $3, l.topic, l.partition, l.record_offset, l.key, l.value, l.reason, l.detail, current_user
         FROM unnest($4::text[], $5::integer[], $6::bigint[], $7::bytea[], $8::bytea[], $9::text[], $10::text[])
             AS l(topic, partition, record_offset, key, value, reason, detail)",
    )
    .bind(&store.name.namespace)
    .bind(&store.name.view)
    .bind(&store.name.revision)
    .bind(topics)
    .bind(partitions)
    .bind(letters.iter().map(|letter| letter.offset).collect::<Vec<i64>>())
    .bind(letters.iter().map(|letter| letter.key.map(<[u8]>::to_vec)).collect::<Vec<Option<Vec<u8>>>>())
    .bind(letters.iter().map(|letter| letter.value.map(<[u8]>::to_vec)).collect::<Vec<Option<Vec<u8>>>>())
    .bind(letters.iter().map(|letter| letter.reason.name()).collect::<Vec<&str>>())
    .bind(letters.iter().map(|letter| letter.detail.replace('\0', "\\u0000")).collect::<Vec<String>>())
    .execute(&mut store.connection)
    .await
    // A dead letter that Postgres refuses is no row's fault.
    .map_err(StoreError::Postgres)?;
    Ok(())
}
