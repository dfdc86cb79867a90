//! What Postgres knows of a view: one read-only transaction, one snapshot.

use super::{exposure::OLD_SNAPSHOTS, refusal::Refusal};
use crate::view::{
    desired::Desired,
    known::Known,
    moment::Moment,
    name::{Revision, Target, ViewName},
    observed::{AcceptedReplay, Catalog, PostgresAddress, Progress, RevisionRow, TargetState, ViewRow},
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
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('millrace.catalog') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
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
        let shown = catalog.view.as_ref().is_some_and(|view| view.shown != Shown::Nothing);
        target(connection, desired, shown, &mut catalog).await?;
        readers(connection, desired, &mut catalog).await?;
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
        revisions: revisions(connection, name).await?,
    }))
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

async fn requests(connection: &mut PgConnection, name: &ViewName) -> Result<BTreeSet<Request>, Refusal> {
    let table: bool =
        sqlx::query_scalar("SELECT to_regclass('millrace.request') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !table {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT verb, id FROM millrace.request WHERE namespace = $1 AND view = $2")
            .bind(&name.namespace)
            .bind(&name.name)
            .fetch_all(connection)
            .await?;
    let known = |(verb, id): (String, String)| Some(Request { verb: Verb::from_name(&verb)?, id });
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
                (extract(epoch FROM (j ->> 'paced_at')::timestamptz) * 1000)::bigint AS paced_at
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
                refilling: row.try_get("refilling")?,
                pace: row.try_get("pace")?,
                paced_at: moment("paced_at")?,
                indexes: BTreeSet::new(),
                progress: Vec::new(),
            },
        );
    }
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
                (extract(epoch FROM nullif(lease_until, '-infinity')) * 1000)::bigint AS lease_until,
                (extract(epoch FROM event_time) * 1000)::bigint AS event_time,
                (extract(epoch FROM committed_at) * 1000)::bigint AS committed_at
         FROM millrace.progress WHERE namespace = $1 AND view = $2 ORDER BY topic, partition",
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
        revision.progress.push(Progress {
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            topic_id: row.try_get("topic_id")?,
            kafka_cluster_id: row.try_get("kafka_cluster_id")?,
            start_offset: row.try_get("start_offset")?,
            next_offset: row.try_get("next_offset")?,
            event_time: event_time.map(Moment),
            committed_at: committed_at.map(Moment),
            lease_until: lease_until.map(Moment),
            lag_records: row.try_get("lag_records")?,
            problem: row.try_get("problem")?,
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

/// What has the name that readers query, and its columns when it is a view of ours.
async fn target(
    connection: &mut PgConnection,
    desired: &Desired,
    shown: bool,
    catalog: &mut Catalog,
) -> Result<(), Refusal> {
    let Target { schema, name } = &desired.target;
    let view = &desired.identity.name;
    let other: Option<(String, String)> = sqlx::query_as(
        "SELECT namespace, name FROM millrace.view
         WHERE target_schema = $1 AND target_name = $2 AND (namespace, name) <> ($3, $4)",
    )
    .bind(schema)
    .bind(name)
    .bind(&view.namespace)
    .bind(&view.name)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((namespace, name)) = other {
        catalog.target = TargetState::OfView(format!("{namespace}/{name}"));
        return Ok(());
    }
    let kind: Option<String> = sqlx::query_scalar(
        "SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                               WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence'
                               WHEN 'i' THEN 'index' ELSE 'relation' END
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
    )
    .bind(schema)
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?;
    let ours = shown && is_ours(connection, view, &desired.target).await?;
    catalog.target = match kind {
        None => TargetState::Free,
        Some(_) if ours => TargetState::Ours,
        Some(kind) => TargetState::Foreign(kind),
    };
    if catalog.target == TargetState::Ours {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT a.attname::text,
                    CASE t.typname WHEN 'bool' THEN 'boolean' WHEN 'int2' THEN 'smallint' WHEN 'int4' THEN 'integer'
                                   WHEN 'int8' THEN 'bigint' WHEN 'float4' THEN 'real'
                                   WHEN 'float8' THEN 'double precision' ELSE t.typname::text END
             FROM pg_attribute a
             JOIN pg_class c ON c.oid = a.attrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_type t ON t.oid = a.atttypid
             WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        )
        .bind(schema)
        .bind(name)
        .fetch_all(&mut *connection)
        .await?;
        catalog.target_columns = columns;
        catalog.dependants = dependants(connection, &desired.target).await?;
    }
    Ok(())
}

/// The views that read a column of the target, by column.
async fn dependants(connection: &mut PgConnection, target: &Target) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT a.attname::text, array_agg(DISTINCT rule.ev_class::regclass::text ORDER BY rule.ev_class::regclass::text)
         FROM pg_depend d
         JOIN pg_rewrite rule ON rule.oid = d.objid AND rule.ev_class <> d.refobjid
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.refobjid = to_regclass($1) AND d.refobjsubid > 0
         GROUP BY a.attname",
    )
    .bind(target.quoted())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Whether the target is what the operator makes: a view that reads the view's own revisions, and nothing else but the
/// catalog. A name alone may have been given to something else since, and an oid is another one after a restore.
pub async fn is_ours(connection: &mut PgConnection, view: &ViewName, target: &Target) -> Result<bool, Refusal> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(bool_or(own.yes) AND bool_and(own.yes OR read.oid = 'millrace.view'::regclass), false)
         FROM pg_class c
         JOIN pg_rewrite rule ON rule.ev_class = c.oid
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = rule.oid
                         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
         JOIN pg_class read ON read.oid = d.refobjid
         JOIN pg_namespace n ON n.oid = read.relnamespace
         CROSS JOIN LATERAL (SELECT n.nspname IN (SELECT schema_name FROM millrace.revision
                                                  WHERE namespace = $1 AND view = $2)) AS own (yes)
         WHERE c.oid = to_regclass($3) AND c.relkind = 'v'",
    )
    .bind(&view.namespace)
    .bind(&view.name)
    .bind(target.quoted())
    .fetch_one(connection)
    .await?)
}

/// Whether something else has the target's name.
pub async fn is_foreign(connection: &mut PgConnection, view: &ViewName, target: &Target) -> Result<bool, Refusal> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(target.quoted())
        .fetch_one(&mut *connection)
        .await?;
    Ok(exists && !is_ours(connection, view, target).await?)
}

async fn readers(connection: &mut PgConnection, desired: &Desired, catalog: &mut Catalog) -> Result<(), Refusal> {
    if desired.readers.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, bool, bool)> = sqlx::query_as(
        "SELECT wanted.name, role.oid IS NOT NULL,
                coalesce(has_schema_privilege(role.oid, n.oid, 'USAGE') AND has_table_privilege(role.oid, c.oid, 'SELECT'), false)
         FROM unnest($1::text[]) AS wanted (name)
         LEFT JOIN pg_roles role ON role.rolname = wanted.name
         LEFT JOIN pg_namespace n ON n.nspname = $2
         LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $3",
    )
    .bind(&desired.readers)
    .bind(&desired.target.schema)
    .bind(&desired.target.name)
    .fetch_all(connection)
    .await?;
    for (reader, exists, granted) in rows {
        if !exists {
            catalog.missing_readers.insert(reader);
        } else if granted {
            catalog.granted_readers.insert(reader);
        }
    }
    Ok(())
}
