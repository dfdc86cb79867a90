//! What a kill with −9 does under each delivery: at most once loses, at least once doubles, exactly once does neither.

use std::time::Duration;

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use sqlx::PgPool;

use crate::stage::{Reader, Running, app, committed_and_ends, eventually, free_port, order, send, topics};

const ORDERS: u64 = 240;
const KILLS: usize = 2;

struct Outcome {
    /// Orders without a message.
    lost: usize,
    /// Orders with more than one.
    doubled: usize,
    /// Rows of the app's own table, one for each order that it knows.
    rows: i64,
}

/// Orders come in, messages go out; the app dies in the middle of it, at a third and at two thirds of the way.
async fn under_kills(delivery: &'static str) -> Outcome {
    let kafka = TemporaryKafka::shared().await;
    let database = TemporaryPostgres::owned_database().await;
    let uri = database.uri.clone();
    let (input, output) = (format!("orders-{delivery}"), format!("messages-{delivery}"));
    topics(kafka, [&input, &output]).await;
    send(kafka, &input, (0..ORDERS).map(|id| order(id + 1, "키보드", 1)));
    let run = move || {
        let (group, port) = (format!("group-{delivery}"), free_port());
        let start = || {
            let mut command = app("notification", port, kafka, &database, &group, [&input, &output]);
            // A batch takes 80 ms, nearly all of it between what comes first and what comes last.
            command
                .env("MILLRACE_DEMO_DELIVERY", delivery)
                .env("MILLRACE_DEMO_BATCH", "20")
                .env("MILLRACE_DEMO_WORK_MILLISECONDS", "4")
                .env("MILLRACE_DEMO_DEAD_LETTERS", "no-dead-letters");
            Running::start(command)
        };
        let mut reader = Reader::new(kafka, &output);
        for kill in 1..=KILLS {
            let running = start();
            let seen = reader.records.len();
            reader.wait_for(seen + ORDERS as usize / (KILLS + 2));
            std::thread::sleep(Duration::from_millis(20 * kill as u64));
            running.kill();
        }
        let mut running = start();
        eventually("the group stands at the end", || {
            let (committed, ends) = committed_and_ends(kafka, &group, &input);
            committed == ends
        });
        running.terminate();
        reader.read_on(Duration::from_secs(1));
        reader.keys()
    };
    let keys = tokio::task::spawn_blocking(run).await.unwrap();
    let pool = PgPool::connect(&uri).await.unwrap();
    let rows = sqlx::query_scalar("SELECT count(*) FROM demo_notification.message").fetch_one(&pool).await.unwrap();
    Outcome {
        lost: (1..=ORDERS).filter(|id| !keys.contains_key(id)).count(),
        doubled: keys.values().filter(|count| **count > 1).count(),
        rows,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_loses_or_doubles_what_it_says_when_the_app_is_killed() {
    let (at_most_once, at_least_once, exactly_once) =
        tokio::join!(under_kills("at-most-once"), under_kills("at-least-once"), under_kills("exactly-once"));
    assert_eq!(at_most_once.doubled, 0);
    assert!(at_most_once.lost > 0, "a killed app has lost nothing");
    assert_eq!(at_least_once.lost, 0);
    assert!(at_least_once.doubled > 0, "a killed app has repeated nothing");
    // What repeats is what is sent: in Postgres an event has happened once.
    assert_eq!(at_least_once.rows, ORDERS as i64);
    assert_eq!((exactly_once.lost, exactly_once.doubled, exactly_once.rows), (0, 0, ORDERS as i64));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_commits_what_it_has_done_when_partitions_move_and_when_it_ends() {
    let kafka = TemporaryKafka::shared().await;
    let database = TemporaryPostgres::owned_database().await;
    topics(kafka, ["moving-orders", "moving-messages"]).await;
    send(kafka, "moving-orders", (0..ORDERS).map(|id| order(id + 1, "의자", 1)));
    let run = move || {
        let start = || {
            let topics = ["moving-orders", "moving-messages"];
            let mut command = app("notification", free_port(), kafka, &database, "moving", topics);
            // Nothing but the loss of a partition and the end makes it commit.
            command.env("MILLRACE_DEMO_COMMIT_SECONDS", "86400").env("MILLRACE_DEMO_DEAD_LETTERS", "no-dead-letters");
            Running::start(command)
        };
        let mut reader = Reader::new(kafka, "moving-messages");
        let mut first = start();
        reader.wait_for(ORDERS as usize);
        let (committed, _) = committed_and_ends(kafka, "moving", "moving-orders");
        assert!(committed.iter().all(|offset| *offset == 0), "committed before anything has moved: {committed:?}");
        let mut second = start();
        eventually("what has moved is committed", || {
            let (committed, ends) = committed_and_ends(kafka, "moving", "moving-orders");
            committed.iter().zip(ends).any(|(committed, end)| *committed == end)
        });
        send(kafka, "moving-orders", (0..ORDERS).map(|id| order(id + 1 + ORDERS, "의자", 1)));
        reader.wait_for(2 * ORDERS as usize);
        first.terminate();
        second.terminate();
        let (committed, ends) = committed_and_ends(kafka, "moving", "moving-orders");
        assert_eq!(committed, ends);
        reader.read_on(Duration::from_secs(1));
        assert!(reader.keys().values().all(|count| *count == 1), "something was done twice");
        assert_eq!(reader.keys().len(), 2 * ORDERS as usize);
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
