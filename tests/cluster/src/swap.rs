//! The moment of a swap, as closely as those who look for it can know.

use crate::view::View;
use anyhow::Result;
use sqlx::PgPool;
use std::time::Instant;
use tokio::task::JoinHandle;

/// A look that was begun at `after` still saw the revision before, one that was answered at `by` saw the next.
///
/// A reader notices the moment from which new snapshots contain the swap's commit. Postgres tells nobody when that was:
/// `cut_over_at` is when the transaction began, before it waited for its locks and for the disk. A look's snapshot is
/// taken between its question and its answer, so the moment lies between these two bounds, and all four times are of
/// one clock.
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    pub after: Instant,
    pub by: Instant,
}

/// Two that look without pause, each on a connection of its own: together their bounds are closer than one round trip
/// of either.
pub struct Lookout([JoinHandle<Result<Swap>>; 2]);

impl Lookout {
    /// Looks for the next swap of the view, from now on.
    pub fn begin(pool: &PgPool, view: &View) -> Lookout {
        let looker = || tokio::spawn(look(pool.clone(), view.namespace.clone(), view.name.clone()));
        Lookout([looker(), looker()])
    }

    /// Waits for the swap.
    pub async fn end(self) -> Result<Swap> {
        let Lookout([one, other]) = self;
        let (one, other) = (one.await??, other.await??);
        Ok(Swap { after: one.after.max(other.after), by: one.by.min(other.by) })
    }
}

async fn look(pool: PgPool, namespace: String, name: String) -> Result<Swap> {
    let mut connection = pool.acquire().await?;
    let mut last: Option<(String, Instant)> = None;
    loop {
        let asked = Instant::now();
        let live: String =
            sqlx::query_scalar("SELECT live_revision FROM millrace.view WHERE namespace = $1 AND name = $2")
                .bind(&namespace)
                .bind(&name)
                .fetch_one(&mut *connection)
                .await?;
        let answered = Instant::now();
        if let Some((before, after)) = last.take()
            && before != live
        {
            return Ok(Swap { after, by: answered });
        }
        last = Some((live, asked));
    }
}
