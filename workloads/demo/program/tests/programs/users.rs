//! The user service and its load as they are started: what they wait for, what they answer, how they end.

use std::process::{Command, Output, Stdio};

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use sqlx::PgPool;

use crate::stage::{PROGRAM, Running, ask, free_port, program, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_waits_for_postgres_serves_relays_and_ends_on_sigterm() {
    let kafka = TemporaryKafka::shared().await;
    let mut postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await.unwrap();
    let database = postgres.new_owned_database().await;
    postgres.kill();
    let port = free_port();
    let log = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-users.log");
    let mut command = program("users", port, kafka, &database);
    command.env("MILLRACE_USERNAME", "").stdout(std::fs::File::create(&log).unwrap());
    let mut service = Running::start(command);
    assert_eq!(wait_for(port, "/healthz", 200, "alive"), "alive\n");
    wait_for(port, "/readyz", 503, "the tables cannot be prepared");
    postgres.restart();
    wait_for(port, "/readyz", 200, "relaying");
    let user = r#"{"name":"홍길동","email":"hong@example.com","department":"개발팀"}"#;
    let (status, body) = ask(port, "POST", "/api/users", user).unwrap();
    assert_eq!(status, 201, "{body}");
    wait_for(port, "/metrics", 200, "demo_users_events_sent_total 1\n");
    wait_for(port, "/metrics", 200, "demo_users_outbox_backlog_rows 0\n");

    // Postgres goes and comes back under the running service.
    postgres.kill();
    wait_for(port, "/readyz", 503, "\"ready\":false");
    assert_eq!(ask(port, "GET", "/api/users", "").unwrap().0, 503);
    postgres.restart();
    wait_for(port, "/readyz", 200, "relaying");
    assert!(ask(port, "GET", "/api/users", "").unwrap().1.contains("홍길동"));

    service.terminate();
    let text = std::fs::read_to_string(&log).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    assert!(text.contains("\"stopping\""), "{text}");
    std::fs::remove_file(log).unwrap();
}

fn load(kafka: &str, topic: &str, postgres: &str) -> Output {
    Command::new(PROGRAM)
        .args([
            "load-users",
            "--users",
            "500",
            "--patience",
            "2",
            "--bootstrap",
            kafka,
            "--topic",
            topic,
            "--postgres",
            postgres,
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_ends_with_1_when_the_view_is_wrong_and_names_rows() {
    let kafka = TemporaryKafka::shared().await;
    let uri = TemporaryPostgres::database().await;
    let pool = PgPool::connect(&uri).await.unwrap();
    sqlx::raw_sql(
        "CREATE SCHEMA shop; CREATE TABLE shop.user_view (id bigint PRIMARY KEY, name text, email text,
         department text, status text, created_at timestamptz, updated_at timestamptz)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let output = load(&kafka.bootstrap_servers(), "a-load", &uri);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("records of 500 users to a-load"), "{text}");
    assert!(text.contains("0 rows equal, 4") && text.contains("no row; expected User { id: 1000000"), "{text}");

    sqlx::raw_sql("DROP TABLE shop.user_view").execute(&pool).await.unwrap();
    let output = load(&kafka.bootstrap_servers(), "a-load", &uri);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("shop.user_view could not be read"), "{complaint}");
}
