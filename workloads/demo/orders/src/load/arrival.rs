//! Arrival: an app has dealt with every order of a load, as its table shows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use millrace_demo_kit::load::Progress;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::sleep;

use crate::load::Orders;

/// An app, and its table, with a row for each order.
pub struct App {
    pub name: &'static str,
    table: &'static str,
}

pub const APPS: [App; 2] = [
    App { name: "notification", table: "demo_notification.message" },
    App { name: "inventory", table: "demo_inventory.decision" },
];

impl App {
    pub async fn is_there(&self, pool: &PgPool) -> Result<bool> {
        let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(self.table).fetch_one(pool).await;
        exists.context("the database cannot be asked")
    }

    /// How many of the orders have arrived in the end: all of them, or as many as stood there for so long.
    pub async fn wait_for(&self, pool: &PgPool, orders: Orders, patience: Duration) -> Result<u64> {
        let mut progress = Progress::new(self.name, orders.orders);
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let arrived = self.arrived(pool, orders).await?;
            progress.set(arrived);
            if arrived != last {
                (last, since) = (arrived, Instant::now());
            }
            if arrived >= orders.orders || since.elapsed() > patience {
                progress.finish();
                return Ok(arrived);
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn arrived(&self, pool: &PgPool, orders: Orders) -> Result<u64> {
        let (ids, events) = (orders.ids(), format!("load-{}-%", orders.seed));
        let text = format!(
            "SELECT count(*) FROM {} WHERE order_id >= $1 AND order_id < $2 AND event_id LIKE $3
             AND event_id NOT LIKE '%-cancelled%'",
            self.table
        );
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
            .bind(ids.start)
            .bind(ids.end)
            .bind(events)
            .fetch_one(pool)
            .await
            .with_context(|| format!("{} cannot be read", self.table))?;
        Ok(count as u64)
    }
}
