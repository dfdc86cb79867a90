//! What people and faults do to a view, held to what the simulated world has shown.

use anyhow::Result;
use millrace_cluster_tests::{
    manifest::{item, table_view},
    scripted::play,
    shell::apply,
    topic::{self, TestProducer},
    view::View,
};
use millrace_test_support::script::SCRIPTS;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn scripts_go_no_way_that_the_simulated_world_has_not_gone() -> Result<()> {
    let (name, view) = ("scripted", View::new("shop", "scripted"));
    let queries = [
        "SELECT id, team AS 부서 FROM items",
        "SELECT id, team AS 부서 FROM items WHERE amount > 10",
        "SELECT id, team AS 부서, amount FROM items",
    ]
    .map(str::to_owned);
    for script in &SCRIPTS {
        view.delete_with_its_table()?;
        topic::delete(name).await?;
        apply(&table_view(name, name, 2, &queries[0]))?;
        view.wait_ready(Duration::from_secs(120))?;
        let producer = TestProducer::new()?;
        for key in 0..2_000 {
            let id = format!("키-{key}");
            producer.send(name, id.as_bytes(), Some(item(&id, "개발팀", key).as_bytes()))?;
        }
        producer.flush()?;
        play(script, &view, &queries)?;
    }
    view.delete_with_its_table()?;
    topic::delete(name).await
}
