//! What the other tests rely on: the servers are real, separate per test, recover, and leave nothing behind.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use rdkafka::{
    ClientConfig, Message,
    consumer::{BaseConsumer, Consumer},
    producer::{FutureProducer, FutureRecord},
};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn every_test_has_a_database_of_its_own_in_utf8() {
    let (first, second) = tokio::join!(TemporaryPostgres::database(), TemporaryPostgres::database());
    assert_ne!(first, second);
    let mut connection = PgConnection::connect(&first).await.unwrap();
    let (collation, encoding): (String, String) = sqlx::query_as(
        "SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((collation.as_str(), encoding.as_str()), ("C.UTF-8", "UTF8"));
    let length: i32 = sqlx::query_scalar("SELECT length('홍길동')").fetch_one(&mut connection).await.unwrap();
    assert_eq!(length, 3);
}

#[tokio::test]
async fn an_owned_database_belongs_to_a_role_that_is_no_superuser_and_may_create_roles() {
    let database = TemporaryPostgres::owned_database().await;
    let mut connection = PgConnection::connect(&database.uri).await.unwrap();
    let rights: (bool, bool, bool) = sqlx::query_as(
        "SELECT rolsuper, rolcreaterole, has_database_privilege(current_database(), 'CREATE')
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(rights, (false, true, true));
    let wrong = database.uri.replace(&database.password, "wrong");
    let refusal = PgConnection::connect(&wrong).await.unwrap_err().to_string();
    assert!(refusal.contains("password authentication failed"), "{refusal}");
}

#[tokio::test]
async fn a_killed_postgres_comes_back_with_what_was_committed() {
    let mut postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await.unwrap();
    let uri = postgres.new_database().await;
    let mut connection = PgConnection::connect(&uri).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT '홍길동' AS name").execute(&mut connection).await.unwrap();
    postgres.kill();
    assert_eq!(postgres.pid(), None);
    assert!(sqlx::query("SELECT 1").execute(&mut connection).await.is_err());
    postgres.restart();
    let mut connection = PgConnection::connect(&uri).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT name FROM kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, "홍길동");
}

#[tokio::test]
async fn records_pass_through_three_brokers_and_survive_one_that_is_killed() {
    let mut kafka = tokio::task::spawn_blocking(TemporaryKafka::start).await.unwrap();
    let topic = kafka.topic("names", 6).await;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("acks", "all")
        .set("message.timeout.ms", "60000")
        .create()
        .unwrap();
    let send = async |name: &str| {
        let record = FutureRecord::to(&topic).key(name).payload(name).partition(0);
        producer.send(record, Duration::from_secs(60)).await.map_err(|(error, _)| error).unwrap();
    };
    send("홍길동").await;
    kafka.kill_node(1);
    send("김철수").await;
    kafka.start_node(1);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", "reader")
        .create()
        .unwrap();
    let mut positions = rdkafka::TopicPartitionList::new();
    positions.add_partition_offset(&topic, 0, rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&positions).unwrap();
    let mut names = Vec::new();
    let start = Instant::now();
    while names.len() < 2 && start.elapsed() < Duration::from_secs(60) {
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            let record = record.unwrap();
            names.push(String::from_utf8(record.payload().unwrap().to_vec()).unwrap());
        }
    }
    assert_eq!(names, ["홍길동", "김철수"]);
}

/// Not a test of its own: the process that `nothing_is_left_of_a_killed_test_process` kills.
#[test]
#[ignore = "run only by the test that kills it"]
fn a_process_that_holds_a_postgres() {
    let postgres = TemporaryPostgres::start();
    std::fs::write(std::env::var("PID_FILE").unwrap(), postgres.pid().unwrap().to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

#[test]
fn nothing_is_left_of_a_killed_test_process() {
    let file = std::env::temp_dir().join(format!("millrace-pid-{}", std::process::id()));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_process_that_holds_a_postgres"])
        .env("PID_FILE", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = wait_until(Duration::from_secs(60), || std::fs::read_to_string(&file).ok().filter(|pid| !pid.is_empty()));
    let directory_start = format!("millrace-postgres-{}-", child.id());
    assert!(Path::new("/proc").join(&pid).exists());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(Duration::from_secs(20), || (!Path::new("/proc").join(&pid).exists()).then_some(()));
    wait_until(Duration::from_secs(20), || {
        let left = std::fs::read_dir(std::env::temp_dir())
            .unwrap()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(&directory_start));
        (!left).then_some(())
    });
    std::fs::remove_file(file).unwrap();
}

fn wait_until<T>(patience: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}
