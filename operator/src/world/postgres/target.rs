//! The target: what has the name that readers query, and who of the readers that are asked for may read it.

use super::refusal::Refusal;
use crate::view::{
    desired::Desired,
    name::{Target, ViewName},
    observed::{Catalog, TargetState},
};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// What has the name, and its columns when it is a view of ours.
pub async fn look(
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

/// Until the transaction ends nobody else makes the target's schema or gives rights to it: those who do so at the same time
/// get in each other's way.
pub async fn lock_schema(connection: &mut PgConnection, target: &Target) -> Result<(), Refusal> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('millrace.schema'), hashtext($1))")
        .bind(&target.schema)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether something else has the target's name.
pub async fn is_foreign(connection: &mut PgConnection, view: &ViewName, target: &Target) -> Result<bool, Refusal> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(target.quoted())
        .fetch_one(&mut *connection)
        .await?;
    Ok(exists && !is_ours(connection, view, target).await?)
}

pub async fn readers(connection: &mut PgConnection, desired: &Desired, catalog: &mut Catalog) -> Result<(), Refusal> {
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
