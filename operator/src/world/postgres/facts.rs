//! What Postgres knows of a view: one read-only transaction, one snapshot.

use super::{catalog::has_table, comparison, exposure::OLD_SNAPSHOTS, gates, refusal::Refusal, target, verification};
use crate::view::{
    desired::Desired,
    forecast::is_due,
    known::Known,
    moment::Moment,
    name::{Revision, Target, ViewName},
    observed::{AcceptedReplay, Built, Catalog, Hold, PostgresAddress, Progress, RevisionRow, TargetState, ViewRow},
    request::{Request, Verb},
    shown::Shown,
    trouble::Trouble,
};
use millrace_contract::{Plan, catalog::CATALOG_VERSION, revision::RevisionState};
use millrace_crds::Reason;
use sqlx::{PgConnection, PgPool, Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub async fn observe(pool: &PgPool, address: &PostgresAddress, desired: &Desired) -> Known<Catalog> {
    match look(pool, address, desired).await {
        Ok(Some(catalog)) => Known::Present(catalog),
        Ok(None) => Known::Absent,
        Err(Refusal::Trouble(trouble)) => Known::Unknown(trouble),
        Err(Refusal::Busy(what)) => {
            Known::Unknown(Trouble::sink(Reason::PostgresUnreachable, format!("waiting for {what}")))
        }
    }
}

async fn look(pool: &PgPool, address: &PostgresAddress, desired: &Desired) -> Result<Option<Catalog>, Refusal> {
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let connection = &mut *transaction;
    if !has_table(connection, "catalog").await? {
        return Ok(None);
    }
    let (version, id): (i32, String) =
        sqlx::query_as("SELECT version, catalog_id::text FROM millrace.catalog").fetch_one(&mut *connection).await?;
    let mut catalog = Catalog {
        version,
        id,
        address: address.clone(),
        target: TargetState::Free,
        target_columns: Vec::new(),
        dependants: BTreeMap::new(),
        granted_readers: BTreeSet::new(),
        missing_readers: BTreeSet::new(),
        view: None,
    };
    // The tables of a newer catalog may mean something else.
    if version <= CATALOG_VERSION {
        catalog.view = view(connection, &desired.identity.name).await?;
        if let Some(view) = catalog.view.as_mut().filter(|view| is_due(desired, view)) {
            view.live_bytes = live_bytes(connection, &desired.identity.name).await?;
        }
        let shown = catalog.view.as_ref().is_some_and(|view| view.shown != Shown::Nothing);
        target::look(connection, desired, shown, &mut catalog).await?;
        target::readers(connection, desired, &mut catalog).await?;
    }
    transaction.commit().await?;
    Ok(Some(catalog))
}

async fn view(connection: &mut PgConnection, name: &ViewName) -> Result<Option<ViewRow>, Refusal> {
    // As JSON: a catalog that is still to be migrated has no such column.
    let row = sqlx::query(
        "SELECT uid, target_schema, target_name, live_revision, replay_count, shown, role, password_digest,
                ARRAY(SELECT jsonb_array_elements_text(to_jsonb(v) -> 'readers')) AS readers,
                to_jsonb(v) ->> 'rolled_back_from' AS rolled_back_from, to_jsonb(v) ->> 'rolled_back_to' AS rolled_back_to,
                EXISTS (SELECT FROM millrace.worker w
                        WHERE w.namespace = v.namespace AND w.view = v.name AND w.seen_until > now()) AS workers_alive
         FROM millrace.view v WHERE namespace = $1 AND name = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let shown: Option<String> = row.try_get("shown")?;
    let Some(shown) = Shown::parse(shown.as_deref()) else {
        return Err(Refusal::Trouble(Trouble::sink(
            Reason::CatalogNewer,
            format!(
                "millrace.view.shown of {name} is {shown:?}, which this operator cannot read; run the one that wrote it"
            ),
        )));
    };
    let count: i32 = row.try_get("replay_count")?;
    let old_snapshots: Option<bool> = sqlx::query_scalar(OLD_SNAPSHOTS)
        .bind(&name.namespace)
        .bind(&name.name)
        .fetch_optional(&mut *connection)
        .await?;
    let live: Option<String> = row.try_get("live_revision")?;
    let readers: Vec<String> = row.try_get("readers")?;
    let rolled_back: (Option<String>, Option<String>) =
        (row.try_get("rolled_back_from")?, row.try_get("rolled_back_to")?);
    Ok(Some(ViewRow {
        uid: row.try_get("uid")?,
        target: Target { schema: row.try_get("target_schema")?, name: row.try_get("target_name")? },
        live: live.map(Revision),
        replay_count: u32::try_from(count).unwrap_or_default(),
        shown,
        old_snapshots: old_snapshots.unwrap_or(false),
        role: row.try_get("role")?,
        password_digest: row.try_get("password_digest")?,
        readers: readers.into_iter().collect(),
        workers_alive: row.try_get("workers_alive")?,
        replays: replays(connection, name).await?,
        requests: requests(connection, name).await?,
        rolled_back: rolled_back.0.zip(rolled_back.1).map(|(from, to)| (Revision(from), Revision(to))),
        live_bytes: None,
        revisions: revisions(connection, name).await?,
        comparisons: comparison::observe(connection, name).await?,
        verification: verification::observe(connection, name).await?,
    }))
}

/// Bytes of the live revision's tables, with their indexes and what is stored beside their rows.
async fn live_bytes(connection: &mut PgConnection, name: &ViewName) -> Result<Option<i64>, Refusal> {
    Ok(sqlx::query_scalar(
        "SELECT sum(pg_total_relation_size(c.oid))::bigint
         FROM millrace.view v
         JOIN millrace.revision r ON r.namespace = v.namespace AND r.view = v.name AND r.revision = v.live_revision
         JOIN pg_namespace n ON n.nspname = r.schema_name
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
         WHERE v.namespace = $1 AND v.name = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_one(connection)
    .await?)
}

async fn replays(connection: &mut PgConnection, name: &ViewName) -> Result<Vec<AcceptedReplay>, Refusal> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT id, revision, (extract(epoch FROM accepted_at) * 1000)::bigint FROM millrace.replay
         WHERE namespace = $1 AND view = $2 ORDER BY accepted_at, id",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, revision, at)| AcceptedReplay { id, revision: Revision(revision), accepted_at: Moment(at) })
        .collect())
}

async fn requests(
    connection: &mut PgConnection,
    name: &ViewName,
) -> Result<BTreeMap<Request, Option<String>>, Refusal> {
    if !has_table(connection, "request").await? {
        return Ok(BTreeMap::new());
    }
    // As JSON: a catalog that is still to be migrated has no such column.
    let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT verb, id, to_jsonb(r) ->> 'nothing_to_do' FROM millrace.request r WHERE namespace = $1 AND view = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(connection)
    .await?;
    let known = |(verb, id, nothing): (String, String, Option<String>)| {
        Some((Request { verb: Verb::from_name(&verb)?, id }, nothing))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

async fn revisions(connection: &mut PgConnection, name: &ViewName) -> Result<BTreeMap<Revision, RevisionRow>, Refusal> {
    let rows = sqlx::query(
        "SELECT revision, state, reason, plan, errors_policy, errors_stop_above, schema_name,
                (extract(epoch FROM created_at) * 1000)::bigint AS created_at,
                (extract(epoch FROM live_at) * 1000)::bigint AS live_at,
                (extract(epoch FROM ended_at) * 1000)::bigint AS ended_at,
                (extract(epoch FROM (j ->> 'approved_at')::timestamptz) * 1000)::bigint AS approved_at,
                (extract(epoch FROM (j ->> 'resumed_at')::timestamptz) * 1000)::bigint AS resumed_at,
                (extract(epoch FROM (j ->> 'caught_up_at')::timestamptz) * 1000)::bigint AS caught_up_at,
                coalesce((j ->> 'paused')::boolean, false) AS paused,
                coalesce((j ->> 'refilling')::boolean, false) AS refilling,
                (j ->> 'pace')::bigint AS pace,
                (extract(epoch FROM (j ->> 'paced_at')::timestamptz) * 1000)::bigint AS paced_at,
                (j ->> 'built_records')::bigint AS built_records, (j ->> 'built_milliseconds')::bigint AS built_milliseconds
         FROM millrace.revision r CROSS JOIN LATERAL to_jsonb(r) AS j WHERE namespace = $1 AND view = $2",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(&mut *connection)
    .await?;
    let mut revisions = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    for row in rows {
        let revision = Revision(row.try_get("revision")?);
        let state: String = row.try_get("state")?;
        let Some(state) = RevisionState::from_name(&state) else {
            let sentence = format!("revision {revision} of {name} is {state:?}, which this operator does not know");
            return Err(Refusal::Trouble(Trouble::sink(Reason::CatalogNewer, sentence)));
        };
        let plan: String = row.try_get("plan")?;
        let moment = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(Moment));
        let built: (Option<i64>, Option<i64>) = (row.try_get("built_records")?, row.try_get("built_milliseconds")?);
        schemas.insert(row.try_get::<String, _>("schema_name")?, revision.clone());
        revisions.insert(
            revision,
            RevisionRow {
                state,
                reason: row.try_get("reason")?,
                plan: Plan::from_json(&plan)
                    .map(Arc::new)
                    .map_err(|error| Trouble::sink(Reason::CatalogNewer, error.to_string())),
                errors_policy: row.try_get("errors_policy")?,
                errors_stop_above: row.try_get("errors_stop_above")?,
                created_at: Moment(row.try_get("created_at")?),
                live_at: moment("live_at")?,
                ended_at: moment("ended_at")?,
                approved_at: moment("approved_at")?,
                paused: row.try_get("paused")?,
                resumed_at: moment("resumed_at")?,
                caught_up_at: moment("caught_up_at")?,
                built: built.0.zip(built.1).map(|(records, milliseconds)| Built {
                    records,
                    time: Duration::from_millis(milliseconds.max(0).unsigned_abs()),
                }),
                refilling: row.try_get("refilling")?,
                pace: row.try_get("pace")?,
                paced_at: moment("paced_at")?,
                answers: BTreeMap::new(),
                indexes: BTreeSet::new(),
                progress: Vec::new(),
            },
        );
    }
    gates::answers(connection, name, &mut revisions).await?;
    progress(connection, name, &mut revisions).await?;
    indexes(connection, &schemas, &mut revisions).await?;
    Ok(revisions)
}

async fn progress(
    connection: &mut PgConnection,
    name: &ViewName,
    revisions: &mut BTreeMap<Revision, RevisionRow>,
) -> Result<(), Refusal> {
    let rows = sqlx::query(
        "SELECT revision, topic, partition, topic_id, kafka_cluster_id, start_offset, next_offset, lag_records, problem,
                (extract(epoch FROM (j ->> 'started_at')::timestamptz) * 1000)::bigint AS started_at,
                (j ->> 'bytes')::bigint AS bytes,
                (extract(epoch FROM nullif(lease_until, '-infinity')) * 1000)::bigint AS lease_until,
                (extract(epoch FROM event_time) * 1000)::bigint AS event_time,
                (extract(epoch FROM committed_at) * 1000)::bigint AS committed_at,
                (j ->> 'hold_offset')::bigint AS hold_offset,
                (extract(epoch FROM (j ->> 'hold_until')::timestamptz) * 1000)::bigint AS hold_until
         FROM millrace.progress p CROSS JOIN LATERAL to_jsonb(p) AS j
         WHERE namespace = $1 AND view = $2 ORDER BY topic, partition",
    )
    .bind(&name.namespace)
    .bind(&name.name)
    .fetch_all(connection)
    .await?;
    for row in rows {
        let Some(revision) = revisions.get_mut(&Revision(row.try_get("revision")?)) else { continue };
        let event_time: Option<i64> = row.try_get("event_time")?;
        let lease_until: Option<i64> = row.try_get("lease_until")?;
        let committed_at: Option<i64> = row.try_get("committed_at")?;
        let started_at: Option<i64> = row.try_get("started_at")?;
        let hold: (Option<i64>, Option<i64>) = (row.try_get("hold_offset")?, row.try_get("hold_until")?);
        revision.progress.push(Progress {
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            topic_id: row.try_get("topic_id")?,
            kafka_cluster_id: row.try_get("kafka_cluster_id")?,
            start_offset: row.try_get("start_offset")?,
            started_at: started_at.map(Moment),
            next_offset: row.try_get("next_offset")?,
            bytes: row.try_get("bytes")?,
            event_time: event_time.map(Moment),
            committed_at: committed_at.map(Moment),
            lease_until: lease_until.map(Moment),
            lag_records: row.try_get("lag_records")?,
            problem: row.try_get("problem")?,
            hold: hold.0.zip(hold.1).map(|(offset, until)| Hold { offset, until: Moment(until) }),
        });
    }
    Ok(())
}

/// Valid indexes on the result tables, each as its columns.
async fn indexes(
    connection: &mut PgConnection,
    schemas: &BTreeMap<String, Revision>,
    revisions: &mut BTreeMap<Revision, RevisionRow>,
) -> Result<(), Refusal> {
    let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT n.nspname::text, array_agg(a.attname::text ORDER BY k.position)
         FROM pg_namespace n
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'rows'
         JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
         WHERE n.nspname = ANY ($1)
         GROUP BY n.nspname, i.indexrelid",
    )
    .bind(names)
    .fetch_all(connection)
    .await?;
    for (schema, columns) in rows {
        if let Some(row) = schemas.get(&schema).and_then(|revision| revisions.get_mut(revision)) {
            row.indexes.insert(columns);
        }
    }
    Ok(())
}
