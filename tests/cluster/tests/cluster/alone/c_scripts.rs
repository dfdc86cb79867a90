//! What people and faults do to a view, held to what the simulated world has shown.

use anyhow::{Error, Result};
use millrace_cluster_tests::{
    manifest::{item, table_view},
    scripted::play,
    shell::apply,
    topic::{self, TestProducer},
    view::View,
};
use millrace_test_support::script::{SCRIPTS, Script};
use std::time::Duration;

/// All at once, each with a view of its own: who kills the operator kills it for the others, too.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_go_no_way_that_the_simulated_world_has_not_gone() -> Result<()> {
    let played: Vec<_> =
        SCRIPTS.iter().enumerate().map(|(number, script)| tokio::spawn(on_a_view(number, script))).collect();
    for script in played {
        script.await.map_err(Error::from)??;
    }
    Ok(())
}

async fn on_a_view(number: usize, script: &'static Script) -> Result<()> {
    let name = format!("scripted-{number}");
    let queries = [
        "SELECT id, team AS 부서 FROM items",
        "SELECT id, team AS 부서 FROM items WHERE amount > 10",
        "SELECT id, team AS 부서, amount FROM items",
    ]
    .map(str::to_owned);
    let view = View::new("shop", &name);
    view.delete_with_its_table()?;
    topic::delete(&name).await?;
    apply(&table_view(&name, &name, 2, &queries[0]))?;
    view.wait_ready(Duration::from_secs(120))?;
    let producer = TestProducer::new()?;
    for key in 0..2_000 {
        let id = format!("키-{key}");
        producer.send(&name, id.as_bytes(), Some(item(&id, "개발팀", key).as_bytes()))?;
    }
    producer.flush()?;
    tokio::task::block_in_place(|| play(script, &view, &queries))?;
    view.delete_with_its_table()?;
    topic::delete(&name).await
}
