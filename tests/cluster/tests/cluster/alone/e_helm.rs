//! Helm by hand: upgrade, test, uninstall, install.

use anyhow::{Result, ensure};
use millrace_cluster_tests::{
    database,
    shell::{eventually, helm, kubectl, run},
    view::View,
};
use std::time::Duration;

const NAMESPACE: [&str; 2] = ["-n", "millrace-system"];

#[tokio::test(flavor = "multi_thread")]
async fn helm_upgrades_tests_uninstalls_and_installs_again_without_losing_a_row() -> Result<()> {
    let password = database::uri()?.to_owned();
    kubectl(&["apply", "-f", "examples/user-view.yaml"])?;
    let view = View::new("shop", "user-view");
    view.wait_ready(Duration::from_secs(180))?;
    let rows = database::psql("select count(*) from shop.user_view")?;

    helm(&[
        "upgrade",
        "millrace",
        "charts/millrace",
        NAMESPACE[0],
        NAMESPACE[1],
        "--reuse-values",
        "--wait",
        "--timeout",
        "5m",
    ])?;
    helm(&["test", "millrace", NAMESPACE[0], NAMESPACE[1], "--timeout", "3m"])?;

    helm(&["uninstall", "millrace", NAMESPACE[0], NAMESPACE[1], "--wait", "--timeout", "5m"])?;
    let mv = kubectl(&["-n", "shop", "get", "mv", "user-view", "-o", "name"])?;
    ensure!(mv.contains("user-view"), "uninstalling leaves the views");
    helm(&[
        "install",
        "millrace",
        "charts/millrace",
        NAMESPACE[0],
        NAMESPACE[1],
        "--create-namespace",
        "--wait",
        "--timeout",
        "8m",
    ])?;
    eventually("the same password opens the same data", Duration::from_secs(120), || {
        let found = run("psql", &[&password, "-X", "-At", "-c", "select count(*) from shop.user_view"])?;
        ensure!(found == rows, "{found} rows after, {rows} before");
        Ok(())
    })?;
    view.wait_ready(Duration::from_secs(180))
}
