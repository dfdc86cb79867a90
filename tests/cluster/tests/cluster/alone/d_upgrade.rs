//! An upgrade of the chart in the middle of a rollout.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    items::live_view,
    reader::{Mode, Reader, Readers, require_no_wrong},
    reference::Reference,
    shell::{eventually, helm, kubectl},
    topic,
    view::View,
};
use std::time::Duration;

const NAME: &str = "upgraded";
const KEYS: i64 = 20_000;
/// Records a second while operators are replaced: a replay takes minutes then.
const SLOWLY: i64 = 100;
const EXPECTED: &str =
    "SELECT value ->> 'id' AS id, (value ->> 'amount')::bigint AS amount FROM newest WHERE value IS NOT NULL";

fn operators() -> Result<Vec<String>> {
    let selector = "app.kubernetes.io/name=millrace-operator";
    let names = "jsonpath={.items[*].metadata.name}";
    let pods = kubectl(&["-n", "millrace-system", "get", "pods", "-l", selector, "-o", names])?;
    Ok(pods.split_whitespace().map(str::to_owned).collect())
}

/// Upgrades to the same chart with another value, which the operator's pods are started anew for.
fn upgrade() -> Result<()> {
    let release = ["upgrade", "millrace", "charts/millrace", "-n", "millrace-system"];
    let values = ["--reuse-values", "--set", "operator.resyncSeconds=20", "--wait", "--timeout", "3m"];
    helm(&[&release[..], &values[..]].concat()).map(drop)
}

fn limit(view: &View, records: Option<i64>) -> Result<()> {
    view.patch(&serde_json::json!({"spec": {"rollout": {"maxRecordsPerSecond": records}}}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_in_the_middle_of_a_rollout_goes_on_with_it_and_readers_notice_nothing() -> Result<()> {
    let view = live_view(NAME, 2, KEYS, "SELECT id, amount FROM items").await?;
    let (before, pods) = (view.live_revision()?, operators()?);
    ensure!(!pods.is_empty(), "no operator runs");
    let pool = database::pool().await?;
    let reader = |mode| Reader {
        pool: pool.clone(),
        mode,
        query: format!("SELECT count(*), coalesce(sum(amount), 0)::bigint FROM {}", view.table()),
    };
    let pause = Duration::from_millis(5);
    let readers = Readers::start(vec![reader(Mode::ReadCommitted { pause }), reader(Mode::RepeatableRead)]);
    limit(&view, Some(SLOWLY))?;
    view.patch(r#"{"spec":{"replay":{"id":"while-upgraded"}}}"#)?;
    view.wait_condition("Ready", "False", "RollingOut", Duration::from_secs(30))?;
    let next = view.get("{.status.rollout.revision}")?;
    ensure!(next != before, "the replay is a revision of its own");

    upgrade()?;
    eventually("other operators run", Duration::from_secs(40), || {
        let now = operators()?;
        ensure!(!now.iter().any(|pod| pods.contains(pod)), "of {pods:?} some are left: {now:?}");
        Ok(())
    })?;
    ensure!(view.live_revision()? == before, "{next} went live before the upgrade was over: it proves nothing");
    limit(&view, None)?;
    view.wait_ready(Duration::from_secs(120))?;
    ensure!(view.live_revision()? == next, "the upgrade has begun another revision than {next}");

    require_no_wrong(&readers.finish().await?)?;
    let reference = Reference::of(&topic::read_all(NAME)?).await?;
    reference.compare(EXPECTED, &pool, &format!("SELECT id, amount FROM {}", view.table())).await?;
    view.delete_with_its_table()?;
    topic::delete(NAME).await
}
