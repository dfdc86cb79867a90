//! The raw limit: the same rows into the same kind of table, by the fastest means we know, decoded beforehand.

use crate::usage::{Cost, tree_seconds};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use millrace_demo_users::load::Population;
use millrace_test_support::TemporaryPostgres;
use sqlx::{Connection, PgConnection};
use std::time::Instant;

pub struct Loader {
    pub name: &'static str,
    pub cost: Cost,
}

const TABLE: &str = "DROP TABLE IF EXISTS raw_users; CREATE TABLE raw_users (id bigint PRIMARY KEY, name text,
    email text, department text, status text, created_at timestamptz, updated_at timestamptz) WITH (fillfactor = 85)";

const UPSERT: &str = "INSERT INTO raw_users
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email, department = excluded.department,
        status = excluded.status, created_at = excluded.created_at, updated_at = excluded.updated_at";

/// Rows of one statement, sorted by key, as columns.
struct Columns {
    ids: Vec<i64>,
    names: Vec<String>,
    emails: Vec<String>,
    departments: Vec<String>,
    statuses: Vec<String>,
    created: Vec<DateTime<Utc>>,
    updated: Vec<DateTime<Utc>>,
}

pub async fn measure(postgres: &TemporaryPostgres, population: Population) -> Result<Vec<Loader>> {
    let mut connection = PgConnection::connect(&postgres.new_database().await).await?;
    let pid = postgres.pid().context("Postgres runs")?;
    let mut loaders = Vec::new();
    for (name, rows) in [("sorted UNNEST upserts of 5,000", 5_000), ("sorted UNNEST upserts of 50,000", 50_000)] {
        sqlx::raw_sql(TABLE).execute(&mut connection).await?;
        let batches = batches(population, rows);
        let (cpu, start) = (tree_seconds(pid)?, Instant::now());
        for batch in &batches {
            upsert(&mut connection, batch).await?;
        }
        loaders.push(finish(name, population.users, start, cpu, pid)?);
    }
    sqlx::raw_sql(TABLE).execute(&mut connection).await?;
    let copies = copy_payloads(population);
    let (cpu, start) = (tree_seconds(pid)?, Instant::now());
    for payload in &copies {
        let mut copy = connection.copy_in_raw("COPY raw_users FROM STDIN (FORMAT binary)").await?;
        copy.send(payload.as_slice()).await?;
        copy.finish().await?;
    }
    loaders.push(finish("binary COPY (inserts only)", population.users, start, cpu, pid)?);
    connection.close().await?;
    Ok(loaders)
}

fn finish(name: &'static str, records: u64, start: Instant, cpu: f64, pid: u32) -> Result<Loader> {
    let elapsed = start.elapsed();
    let postgres = tree_seconds(pid)? - cpu;
    Ok(Loader { name, cost: Cost { records, elapsed, loader: None, postgres, resident: None } })
}

/// Users in the topic's order, cut into statements, each sorted by key: what any consumer would have to do.
fn batches(population: Population, rows: usize) -> Vec<Columns> {
    let users: Vec<_> = population.final_rows().collect();
    users
        .chunks(rows)
        .map(|chunk| {
            let mut chunk: Vec<_> = chunk.iter().collect();
            chunk.sort_by_key(|user| user.id);
            Columns {
                ids: chunk.iter().map(|user| user.id).collect(),
                names: chunk.iter().map(|user| user.name.clone()).collect(),
                emails: chunk.iter().map(|user| user.email.clone()).collect(),
                departments: chunk.iter().map(|user| user.department.clone()).collect(),
                statuses: chunk.iter().map(|user| user.status.as_str().to_owned()).collect(),
                created: chunk.iter().map(|user| user.created_at).collect(),
                updated: chunk.iter().map(|user| user.updated_at).collect(),
            }
        })
        .collect()
}

async fn upsert(connection: &mut PgConnection, batch: &Columns) -> Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::query(UPSERT)
        .bind(&batch.ids)
        .bind(&batch.names)
        .bind(&batch.emails)
        .bind(&batch.departments)
        .bind(&batch.statuses)
        .bind(&batch.created)
        .bind(&batch.updated)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// The binary COPY format: a header, rows of (length, bytes) fields, a trailer; 50,000 rows each.
fn copy_payloads(population: Population) -> Vec<Vec<u8>> {
    let users: Vec<_> = population.final_rows().collect();
    let field = |payload: &mut Vec<u8>, bytes: &[u8]| {
        payload.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        payload.extend_from_slice(bytes);
    };
    // Postgres counts microseconds from 2000-01-01.
    let moment = |at: DateTime<Utc>| (at.timestamp_micros() - 946_684_800_000_000).to_be_bytes();
    users
        .chunks(50_000)
        .map(|chunk| {
            let mut payload = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
            for user in chunk {
                payload.extend_from_slice(&7_i16.to_be_bytes());
                field(&mut payload, &user.id.to_be_bytes());
                for text in [&user.name, &user.email, &user.department, user.status.as_str()] {
                    field(&mut payload, text.as_bytes());
                }
                field(&mut payload, &moment(user.created_at));
                field(&mut payload, &moment(user.updated_at));
            }
            payload.extend_from_slice(&(-1_i16).to_be_bytes());
            payload
        })
        .collect()
}
