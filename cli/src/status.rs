//! `millrace status`: the table of all views, or the page of one or of an app, once or again at every change.

use crate::{
    app_page,
    cluster::{Cluster, Views, next},
    failure::Failure,
    figures::{age, count, length, milliseconds},
    output::{say, show_again},
    page::page,
    table::{aligned, row},
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use millrace_crds::{ConditionType, MaterializedView, RolloutPhase};

pub async fn status(cluster: &Cluster, views: Views<'_>, follow: bool) -> Result<(), Failure> {
    if !follow {
        return say(&look(cluster, views).await?);
    }
    let mut changes = cluster.changes(views);
    let mut shown = String::new();
    loop {
        match look(cluster, views).await {
            Ok(text) if text == shown => {}
            Ok(text) => {
                show_again(&text)?;
                shown = text;
            }
            // What was shown stays, and it is said that it grows old.
            Err(failure) if failure.passes() && !shown.is_empty() => eprintln!("{failure}"),
            Err(failure) => return Err(failure),
        }
        next(&mut changes).await;
    }
}

async fn look(cluster: &Cluster, views: Views<'_>) -> Result<String, Failure> {
    let everywhere = match views {
        Views::Named(name) => {
            let seen = cluster.look(name).await?;
            return Ok(page(&seen.view, &seen.events, Timestamp::now()));
        }
        Views::App(name) => {
            let (app, events) = cluster.look_at_app(name).await?;
            return Ok(app_page::page(&app, &events, Timestamp::now()));
        }
        Views::OfNamespace => false,
        Views::Everywhere => true,
    };
    let list = cluster.list(everywhere).await?;
    if list.is_empty() {
        let namespace = if everywhere { "any namespace" } else { cluster.namespace() };
        return Ok(format!("no MaterializedViews in {namespace}"));
    }
    Ok(table(&list, everywhere, Timestamp::now()))
}

/// One line a view, with the columns of `kubectl get mv`.
fn table(views: &[MaterializedView], namespaces: bool, now: Timestamp) -> String {
    let mut rows = vec![row(HEADINGS)];
    rows.extend(views.iter().map(|view| cells(view, now)));
    if namespaces {
        let names = views.iter().map(|view| view.namespace().unwrap_or_default());
        for (row, name) in rows.iter_mut().zip(std::iter::once("NAMESPACE".to_owned()).chain(names)) {
            row.insert(0, name);
        }
    }
    aligned(&rows)
}

const HEADINGS: [&str; 10] =
    ["NAME", "READY", "STATUS", "ROLLOUT", "PROGRESS", "ETA", "LAG", "FRESHNESS", "REPLICAS", "AGE"];

fn cells(view: &MaterializedView, now: Timestamp) -> Vec<String> {
    let status = view.status.as_ref();
    let ready = status.and_then(|status| status.condition(ConditionType::Ready));
    let rollout = status.and_then(|status| status.rollout.as_ref());
    let going_on = rollout.filter(|rollout| rollout.phase != RolloutPhase::Steady);
    let created = view.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let known = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    vec![
        view.name_any(),
        known(ready.map(|ready| ready.status.clone())),
        known(ready.map(|ready| ready.reason.clone())),
        known(rollout.map(|rollout| format!("{:?}", rollout.phase))),
        known(rollout.and_then(|rollout| rollout.percent).map(|percent| format!("{percent}%"))),
        known(going_on.and_then(|rollout| rollout.eta_seconds).map(length)),
        known(status.and_then(|status| status.lag_records).map(count)),
        known(status.and_then(|status| status.freshness_milliseconds).map(milliseconds)),
        known(status.and_then(|status| status.replicas).map(|replicas| replicas.to_string())),
        age(created, now),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{NOW, view};
    use expect_test::expect;
    use serde_json::{Value, json};

    #[test]
    fn a_table_has_a_line_for_each_view() {
        let building = json!({
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "RollingOut", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "rollout": {"revision": "5e6f7a8b", "phase": "Building", "percent": 42, "etaSeconds": 80},
            "lagRecords": 5800, "freshnessMilliseconds": 1200, "replicas": 3,
        });
        let views = [view(building), view(Value::Null)];
        let now = NOW.parse().expect("a time");
        expect![[r#"
            NAME        READY   STATUS       ROLLOUT    PROGRESS   ETA     LAG     FRESHNESS   REPLICAS   AGE
            user-view   False   RollingOut   Building   42%        1m20s   5,800   1.2s        3          2d
            user-view   -       -            -          -          -       -       -           -          2d
        "#]]
        .assert_eq(&table(&views, false, now));
        let whole = table(&views[..1], true, now);
        assert!(whole.starts_with("NAMESPACE   NAME        READY"), "{whole}");
        assert!(whole.contains("\nshop        user-view   False"), "{whole}");
    }
}
