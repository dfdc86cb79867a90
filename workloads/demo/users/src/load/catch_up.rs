//! Catching up: a view is compared once it has applied every record that was sent, as far as that can be known.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use millrace_demo_kit::load::Progress;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::sleep;

use crate::load::{Comparison, Population, ViewName};

pub struct CatchUp<'a> {
    pub pool: &'a PgPool,
    pub view: &'a ViewName,
    pub topic: &'a str,
    pub population: Population,
    /// Without any step forward for so long, the view, or the database, is given up.
    pub patience: Duration,
}

const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl CatchUp<'_> {
    /// With the newest offset of every partition, and in a database that has `millrace.reached`, waits for
    /// exactly those; otherwise compares whenever the rows stand still, until they are equal or stand for
    /// too long.
    pub async fn compare_when_caught_up(&self, newest_offsets: Option<BTreeMap<i32, i64>>) -> Result<Comparison> {
        match newest_offsets {
            Some(newest_offsets) if self.database_knows_reached().await? => {
                self.wait_for(&newest_offsets).await?;
                self.compare().await
            }
            _ => self.compare_until_equal().await,
        }
    }

    async fn database_knows_reached(&self) -> Result<bool> {
        self.persistently(async || {
            let text = "SELECT to_regprocedure('millrace.reached(text, text, integer, bigint)') IS NOT NULL";
            Ok(sqlx::query_scalar(text).fetch_one(self.pool).await?)
        })
        .await
    }

    async fn wait_for(&self, newest_offsets: &BTreeMap<i32, i64>) -> Result<()> {
        let mut progress = Progress::new("visible", 100);
        let mut standstill = Standstill::new();
        loop {
            let (missing, way) = self.persistently(|| self.partitions_not_reached(newest_offsets)).await?;
            let records = newest_offsets.values().map(|offset| offset + 1).sum::<i64>();
            progress.set((way.max(0) * 100 / records.max(1)).min(100) as u64);
            if missing.is_empty() {
                progress.finish();
                return Ok(());
            }
            if standstill.lasts(way) > self.patience {
                bail!(
                    "{} makes no progress: found partitions {missing:?} of {} short of the records that were sent, for {:?}; \
                     expected a view that reads this topic (kubectl get mv -A tells how it is)",
                    self.view,
                    self.topic,
                    self.patience
                );
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Which partitions have not reached their newest record, and how far all have come together.
    async fn partitions_not_reached(&self, newest_offsets: &BTreeMap<i32, i64>) -> Result<(Vec<i32>, i64)> {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = newest_offsets.iter().unzip();
        let missing = sqlx::query_scalar(
            "SELECT partition FROM unnest($3::integer[], $4::bigint[]) AS newest (partition, record_offset)
             WHERE NOT millrace.reached($1, $2, partition, record_offset) ORDER BY 1",
        )
        .bind(self.view.to_string())
        .bind(self.topic)
        .bind(partitions)
        .bind(offsets)
        .fetch_all(self.pool)
        .await?;
        let way = sqlx::query_scalar(
            "SELECT coalesce(sum(next_offset), 0)::bigint FROM millrace.freshness WHERE target = $1 AND topic = $2",
        )
        .bind(self.view.to_string())
        .bind(self.topic)
        .fetch_one(self.pool)
        .await?;
        Ok((missing, way))
    }

    async fn compare_until_equal(&self) -> Result<Comparison> {
        let mut progress = Progress::new("visible", self.population.users);
        let mut standstill = Standstill::new();
        loop {
            let way = self.persistently(|| self.rows_and_newest_update()).await?;
            progress.set(way.0 as u64);
            let still = standstill.lasts(way);
            if still >= LOOK_AGAIN {
                let comparison = self.compare().await?;
                if comparison.is_equal() || still > self.patience {
                    progress.finish();
                    return Ok(comparison);
                }
            }
            // Counting is not free: the view's own work comes first.
            sleep(LOOK_AGAIN * 4).await;
        }
    }

    async fn rows_and_newest_update(&self) -> Result<(i64, Option<String>)> {
        let text =
            format!("SELECT count(*), max(updated_at)::text FROM {} WHERE id >= $1 AND id < $2", self.view.quoted());
        let ids = self.population.ids();
        Ok(sqlx::query_as(AssertSqlSafe(text)).bind(ids.start).bind(ids.end).fetch_one(self.pool).await?)
    }

    async fn compare(&self) -> Result<Comparison> {
        self.persistently(|| Comparison::of(self.pool, self.view, self.population)).await
    }

    /// A database that goes away, and a view that is not there yet, are asked again.
    async fn persistently<T>(&self, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) if start.elapsed() > self.patience => {
                    return Err(error.context(format!("{} could not be read for {:?}", self.view, self.patience)));
                }
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the database is asked again"),
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// For how long something has not changed.
struct Standstill<T> {
    last: Option<T>,
    since: Instant,
}

impl<T: PartialEq> Standstill<T> {
    fn new() -> Standstill<T> {
        Standstill { last: None, since: Instant::now() }
    }

    fn lasts(&mut self, now: T) -> Duration {
        if self.last.as_ref() != Some(&now) {
            (self.last, self.since) = (Some(now), Instant::now());
        }
        self.since.elapsed()
    }
}
