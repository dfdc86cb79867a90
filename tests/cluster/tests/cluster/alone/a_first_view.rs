//! The README's commands: apply, produce, psql.

use anyhow::{Context, Result, ensure};
use millrace_cluster_tests::{
    database,
    reference::Reference,
    rest::{USERS, curl},
    shell::kubectl,
    topic, users,
    view::View,
};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// Waits until the view has applied everything that is in the topic now.
async fn wait_reached(pool: &PgPool, view: &str, topic: &str, limit: Duration) -> Result<()> {
    let start = Instant::now();
    for (partition, end) in topic::ends(topic)?.into_iter().enumerate() {
        if end == 0 {
            continue;
        }
        loop {
            let reached: bool = sqlx::query_scalar("SELECT millrace.reached($1, $2, $3, $4)")
                .bind(view)
                .bind(topic)
                .bind(partition as i32)
                .bind(end - 1)
                .fetch_one(pool)
                .await?;
            if reached {
                break;
            }
            ensure!(
                start.elapsed() < limit,
                "{view} has not reached {topic}/{partition} offset {} in {limit:?}",
                end - 1
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_then_psql_shows_what_the_rest_api_did() -> Result<()> {
    kubectl(&["apply", "-f", "examples/user-view.yaml"])?;
    kubectl(&["apply", "-f", "examples/department-stats.yaml"])?;
    View::new("shop", "user-view").wait_ready(Duration::from_secs(180))?;
    View::new("shop", "department-stats").wait_ready(Duration::from_secs(180))?;
    let pool = database::pool().await?;

    let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let mut waits = Vec::new();
    for round in 0..8 {
        let user = serde_json::json!({
            "name": "홍길동", "email": format!("hong-{stamp}-{round}@example.com"), "department": "개발팀", "status": "ACTIVE"
        });
        let created = curl("POST", USERS, Some(&user))?;
        let id = created["id"].as_i64().with_context(|| format!("a created user has an id: {created}"))?;
        let mut changed = user.clone();
        changed["name"] = "김철수".into();
        changed["status"] = "INACTIVE".into();
        curl("PUT", &format!("{USERS}/{id}"), Some(&changed))?;
        let start = Instant::now();
        loop {
            let name: Option<String> = sqlx::query_scalar("SELECT name FROM shop.user_view WHERE id = $1")
                .bind(id)
                .fetch_optional(&pool)
                .await?;
            if name.as_deref() == Some("김철수") {
                break;
            }
            ensure!(start.elapsed() < Duration::from_secs(20), "user {id} is {name:?} after 20 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waits.push(start.elapsed());
        if round % 2 == 0 {
            curl("DELETE", &format!("{USERS}/{id}"), None)?;
        }
    }
    waits.sort_unstable();
    ensure!(waits[waits.len() / 2] < Duration::from_secs(1), "an update is seen within a second: {waits:?}");

    wait_reached(&pool, "shop.user_view", "user-events", Duration::from_secs(30)).await?;
    wait_reached(&pool, "shop.department_stats", "user-events", Duration::from_secs(30)).await?;
    let reference = Reference::of(&topic::read_all("user-events")?).await?;
    let rows = reference.compare(users::USER_VIEW, &pool, users::USER_VIEW_ROWS).await?;
    ensure!(rows >= 4, "four of the eight users remain at least");
    reference.compare(users::DEPARTMENT_STATS, &pool, users::DEPARTMENT_STATS_ROWS).await?;

    let shown = database::psql("select count(*) from shop.user_view")?;
    ensure!(shown.trim() == rows.to_string(), "psql shows {shown}");
    Ok(())
}

#[test]
fn kubectl_get_shows_the_columns_a_person_looks_for() -> Result<()> {
    let table = kubectl(&["-n", "shop", "get", "mv"])?;
    let head = table.lines().next().unwrap_or_default();
    let columns: Vec<&str> = head.split_whitespace().collect();
    ensure!(
        columns == ["NAME", "READY", "STATUS", "ROLLOUT", "PROGRESS", "ETA", "LAG", "FRESHNESS", "REPLICAS", "AGE"],
        "found {head}"
    );
    Ok(())
}

#[test]
fn kafka_tools_show_the_lag_of_a_view() -> Result<()> {
    let description = kubectl(&[
        "-n",
        "millrace-system",
        "exec",
        "kafka-0",
        "--",
        "kafka-consumer-groups",
        "--bootstrap-server",
        "localhost:9092",
        "--describe",
        "--group",
        "millrace.shop.user-view",
    ])?;
    ensure!(description.contains("user-events"), "the group shows no position:\n{description}");
    Ok(())
}

#[test]
fn workers_run_restricted_and_know_no_kubernetes() -> Result<()> {
    let view = View::new("shop", "user-view");
    let pods = view.pods()?;
    ensure!(pods.len() == 6, "one worker for each of the six partitions, found {pods:?}");
    let text = kubectl(&["-n", "shop", "get", "pod", &pods[0], "-o", "json"])?;
    let pod: serde_json::Value = serde_json::from_str(&text)?;
    let spec = &pod["spec"];
    ensure!(spec["automountServiceAccountToken"] == false, "the token is not mounted");
    let container = &spec["containers"][0]["securityContext"];
    ensure!(
        container["readOnlyRootFilesystem"] == true && container["allowPrivilegeEscalation"] == false,
        "{container}"
    );
    ensure!(container["capabilities"]["drop"][0] == "ALL", "{container}");
    let user =
        kubectl(&["-n", "shop", "get", "pod", &pods[0], "-o", "jsonpath={..runAsNonRoot}{..seccompProfile.type}"])?;
    ensure!(user.contains("true") && user.contains("RuntimeDefault"), "{user}");
    Ok(())
}
