//! Eight who read a view of users while something happens to it, each in a way of its own.

use crate::{
    database,
    reader::{Mode, Reader},
    shell::eventually,
    topic::TestProducer,
    users,
    view::View,
};
use anyhow::{Result, ensure};
use rand::{SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use std::time::Duration;

/// A user whom nobody else makes: the loader's ids begin above, those of the service stay far below.
const WATCHED: i64 = 999_999;

/// Has the view over `topic` show the user that readers look for.
pub fn make_watched_user(view: &View, topic: &str) -> Result<()> {
    let producer = TestProducer::new()?;
    let user = users::upsert(&mut StdRng::seed_from_u64(1), WATCHED, "USER_CREATED");
    producer.send(topic, WATCHED.to_string().as_bytes(), Some(user.as_bytes()))?;
    producer.flush()?;
    eventually("the user that is looked for is there", Duration::from_secs(60), || {
        let rows = database::psql(&format!("select count(*) from {} where id = {WATCHED}", view.table()))?;
        ensure!(rows.trim() == "1", "found {rows}");
        Ok(())
    })
}

/// The readers; one of them takes `long_seconds` for each of its queries.
pub fn of_users(view: &View, pool: &PgPool, as_dashboard: &PgPool, long_seconds: u64) -> Vec<Reader> {
    let table = view.table();
    let count = format!("SELECT count(*) FROM {table}");
    let sum = format!("SELECT count(*), coalesce(sum(id), 0)::bigint FROM {table}");
    let sample = format!(
        "SELECT (SELECT live_revision IS NOT NULL FROM millrace.view WHERE name = '{}')::int::bigint,
         count(*) FROM (SELECT FROM {table} LIMIT 100) AS sample",
        view.name
    );
    // Cheap, so that it can be asked without pause. Without the row it is a gap; with two, both revisions are shown.
    let one = format!("SELECT count(*) FROM {table} WHERE id = {WATCHED}");
    let each = |pause, query: &str| Reader {
        pool: pool.clone(),
        mode: Mode::ReadCommitted { pause: Duration::from_millis(pause) },
        query: query.to_owned(),
    };
    // It holds the name open, as a report does: the switch has to wait for it, and nobody waits behind the switch.
    let long = format!("SELECT count(*), (SELECT 0::bigint FROM pg_sleep({long_seconds})) FROM {table}");
    vec![
        // Those who count everything leave the cores to the others for a while.
        each(100, &count),
        Reader { pool: pool.clone(), mode: Mode::RepeatableRead, query: sum },
        each(1, &sample),
        each(1, &sample),
        each(0, &one),
        Reader { pool: as_dashboard.clone(), ..each(0, &one) },
        each(10, &one),
        each(5_000, &long),
    ]
}
