//! The reference: a separate Postgres that computes a view's rows from the raw JSON with plain SQL.

use crate::topic::RawRecord;
use anyhow::{Context, Result, bail};
use millrace_test_support::TemporaryPostgres;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

/// The newest record of every key, tombstones included: within a partition the higher offset, between partitions the
/// higher timestamp.
const NEWEST: &str = "CREATE VIEW newest AS
    SELECT DISTINCT ON (key) key, value FROM (
        SELECT DISTINCT ON (key, partition) * FROM raw ORDER BY key, partition, record_offset DESC
    ) AS per_partition ORDER BY key, at DESC, partition DESC";

pub struct Reference {
    pool: PgPool,
}

impl Reference {
    /// A database with the table `raw` and the view `newest (key text, value jsonb)` over these records.
    pub async fn of(records: &[RawRecord]) -> Result<Reference> {
        let uri = TemporaryPostgres::database().await;
        let pool = PgPoolOptions::new().max_connections(2).connect(&uri).await?;
        sqlx::raw_sql("CREATE TABLE raw (partition int, record_offset bigint, at bigint, key text, value jsonb)")
            .execute(&pool)
            .await?;
        sqlx::raw_sql(NEWEST).execute(&pool).await?;
        for chunk in records.chunks(20_000) {
            let text = |bytes: &Option<Vec<u8>>| -> Result<Option<String>> {
                bytes.clone().map(String::from_utf8).transpose().context("keys and values of this topic are UTF-8")
            };
            let keys = chunk.iter().map(|record| text(&record.key)).collect::<Result<Vec<_>>>()?;
            let values = chunk.iter().map(|record| text(&record.value)).collect::<Result<Vec<_>>>()?;
            sqlx::query("INSERT INTO raw SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]::jsonb[])")
                .bind(chunk.iter().map(|record| record.partition).collect::<Vec<_>>())
                .bind(chunk.iter().map(|record| record.offset).collect::<Vec<_>>())
                .bind(chunk.iter().map(|record| record.timestamp).collect::<Vec<_>>())
                .bind(keys)
                .bind(values)
                .execute(&pool)
                .await?;
        }
        sqlx::raw_sql("ANALYZE raw").execute(&pool).await?;
        Ok(Reference { pool })
    }

    /// Compares the rows of `expected` here with those of `actual` there, as text, in any order.
    pub async fn compare(&self, expected: &str, product: &PgPool, actual: &str) -> Result<u64> {
        let expected = rows_as_text(&self.pool, expected).await?;
        let actual = rows_as_text(product, actual).await?;
        if expected == actual {
            return Ok(expected.len() as u64);
        }
        let missing: Vec<_> = difference(&expected, &actual);
        let extra: Vec<_> = difference(&actual, &expected);
        bail!(
            "{} rows expected, {} found; {} missing, for instance {:?}; {} too many, for instance {:?}",
            expected.len(),
            actual.len(),
            missing.len(),
            missing.iter().take(3).collect::<Vec<_>>(),
            extra.len(),
            extra.iter().take(3).collect::<Vec<_>>()
        )
    }
}

/// The lines of `left` that `right` has not (both sorted), as multisets.
fn difference<'a>(left: &'a [String], right: &[String]) -> Vec<&'a String> {
    let mut right = right.iter().peekable();
    let mut result = Vec::new();
    for line in left {
        while right.next_if(|other| *other < line).is_some() {}
        if right.next_if(|other| *other == line).is_none() {
            result.push(line);
        }
    }
    result
}

async fn rows_as_text(pool: &PgPool, query: &str) -> Result<Vec<String>> {
    let mut connection = pool.acquire().await?;
    sqlx::raw_sql("SET timezone = 'UTC'").execute(&mut *connection).await?;
    let sql = format!("SELECT row::text FROM ({query}) AS row");
    let mut rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
    rows.sort_unstable();
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64, timestamp: i64, key: &str, value: Option<&str>) -> RawRecord {
        RawRecord {
            partition,
            offset,
            timestamp,
            key: Some(key.as_bytes().to_vec()),
            value: value.map(|text| text.as_bytes().to_vec()),
        }
    }

    #[tokio::test]
    async fn the_newest_record_wins_and_a_difference_is_named() {
        let records = [
            record(0, 5, 100, "홍", Some(r#"{"v": 1}"#)),
            record(0, 6, 90, "홍", Some(r#"{"v": 2}"#)),
            record(1, 0, 95, "홍", Some(r#"{"v": 3}"#)),
            record(0, 7, 100, "gone", None),
        ];
        let reference = Reference::of(&records).await.expect("the reference is made");
        let here = "SELECT key, (value ->> 'v')::int AS v FROM newest WHERE value IS NOT NULL";
        let found = reference.compare(here, &reference.pool, "SELECT '홍'::text, 3").await;
        assert_eq!(found.expect("partition 1 has the higher timestamp"), 1);
        let error = reference.compare(here, &reference.pool, "SELECT '홍'::text, 2").await.expect_err("2 is not 3");
        assert!(error.to_string().contains("(홍,3)"), "{error}");
    }
}
