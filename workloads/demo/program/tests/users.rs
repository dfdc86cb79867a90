//! The user service and its load as they are started: what they wait for, what they answer, how they end.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use sqlx::PgPool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_millrace-demo");

/// Killed when the test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body; nothing while nobody listens.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_for(port: u16, path: &str, status: u16, words: &str) -> String {
    let start = Instant::now();
    loop {
        let answer = ask(port, "GET", path, "");
        if let Some((found, body)) = &answer
            && *found == status
            && body.contains(words)
        {
            return body.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{path}: {answer:?}; expected {status} with {words:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_waits_for_postgres_serves_relays_and_ends_on_sigterm() {
    let kafka = TemporaryKafka::shared().await;
    let mut postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await.unwrap();
    let database = postgres.new_owned_database().await;
    postgres.kill();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-users.log");
    let mut service = Running(
        Command::new(PROGRAM)
            .arg("users")
            .env("MILLRACE_LISTEN", format!("127.0.0.1:{port}"))
            .env("MILLRACE_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
            .env("MILLRACE_USERNAME", "")
            .env("MILLRACE_POSTGRES_HOST", "127.0.0.1")
            .env("MILLRACE_POSTGRES_PORT", database.port.to_string())
            .env("MILLRACE_POSTGRES_DATABASE", &database.name)
            .env("MILLRACE_POSTGRES_USERNAME", &database.role)
            .env("MILLRACE_POSTGRES_PASSWORD", &database.password)
            .stdout(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap(),
    );
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

    Command::new("kill").arg(service.0.id().to_string()).status().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = service.0.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the service does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
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
