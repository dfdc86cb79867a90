//! A live view over a topic of its own with some rows, for tests of what becomes of it.

use crate::{
    database,
    manifest::{item, table_view},
    shell::{apply, eventually},
    topic::{self, TestProducer},
    view::View,
};
use anyhow::{Result, ensure};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// `shop.<name>` over the topic of the same name, with a row for each of so many keys.
pub async fn live_view(name: &str, partitions: i32, keys: i64, query: &str) -> Result<View> {
    let view = View::new("shop", name);
    view.delete_with_its_table()?;
    topic::delete(name).await?;
    apply(&table_view(name, name, partitions, query))?;
    let producer = TestProducer::new()?;
    view.wait_ready(LIMIT)?;
    for key in 0..keys {
        let id = format!("키-{key}");
        producer.send(name, id.as_bytes(), Some(item(&id, "개발팀", key).as_bytes()))?;
    }
    producer.flush()?;
    eventually("every row is there", LIMIT, || {
        let rows = database::psql(&format!("select count(*) from {}", view.table()))?;
        ensure!(rows.trim() == keys.to_string(), "found {rows}");
        Ok(())
    })?;
    Ok(view)
}
