//! The apps' tables: what bad records do to them, and what reading everything again does.

use std::time::Duration;

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};
use sqlx::PgPool;

use crate::stage::{Reader, Running, app, committed_and_ends, eventually, free_port, order, send, topics};

type Sales = Vec<(String, i64, i64, String)>;

async fn sales(pool: &PgPool) -> Sales {
    sqlx::query_as("SELECT product, orders, quantity, revenue::text FROM demo_analytics.sales ORDER BY product")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn header(record: &OwnedMessage, name: &str) -> String {
    let headers = record.headers().unwrap();
    let header = headers.iter().find(|header| header.key == name).unwrap();
    String::from_utf8(header.value.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_become_dead_letters_and_reading_everything_again_changes_nothing() {
    let kafka = TemporaryKafka::shared().await;
    let database = TemporaryPostgres::owned_database().await;
    let pool = PgPool::connect(&database.uri).await.unwrap();
    topics(kafka, ["sold", "sold-dead-letters"]).await;
    let good = (1..=90).map(|id| order(id, ["키보드", "의자", "Desk lamp"][id as usize % 3], id as i64));
    let bad = [
        ("7".to_owned(), "깨진 값".to_owned()),
        ("8".to_owned(), order(9, "의자", 1).1),
        // JSON can say what Postgres cannot store.
        order(91, "키\u{0}보드", 1),
    ];
    send(kafka, "sold", good.chain(bad));
    let start = |group: &'static str| {
        let mut command = app("analytics", free_port(), kafka, &database, group, ["sold", "sold-dead-letters"]);
        command.env("MILLRACE_DEMO_DELIVERY", "exactly-once").env("MILLRACE_DEMO_DEAD_LETTERS", "sold-dead-letters");
        let mut running = Running::start(command);
        eventually("the group stands at the end", || {
            let (committed, ends) = committed_and_ends(kafka, group, "sold");
            committed == ends
        });
        running.terminate();
    };
    tokio::task::block_in_place(|| start("analytics"));
    let sum = |rest: u64| (1..=90).filter(|id| id % 3 == rest).sum::<u64>() as i64;
    let row = |product: &str, rest| (product.to_owned(), 30, sum(rest), (sum(rest) * 1000).to_string());
    let mut expected = vec![row("키보드", 0), row("의자", 1), row("Desk lamp", 2)];
    expected.sort();
    let mut found = sales(&pool).await;
    found.sort();
    assert_eq!(found, expected);

    let mut reader = Reader::new(kafka, "sold-dead-letters");
    let mut letters: Vec<OwnedMessage> =
        tokio::task::block_in_place(|| reader.read_on(Duration::from_secs(1)).to_vec());
    letters.sort_by_key(|letter| letter.key().map(<[u8]>::to_vec));
    let said: Vec<(String, String)> = letters
        .iter()
        .map(|letter| (String::from_utf8(letter.key().unwrap().to_vec()).unwrap(), header(letter, "reason")))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for ((key, reason), (expected, words)) in
        said.iter().zip([("7", "no order event"), ("8", r#"expected "9", the order's id"#), ("91", "postgres:")])
    {
        assert!(key == expected && reason.contains(words), "{said:?}");
    }
    for letter in &letters {
        assert_eq!(header(letter, "topic"), "sold");
        assert!((0..3).contains(&header(letter, "partition").parse::<i32>().unwrap()));
        assert!(header(letter, "offset").parse::<i64>().unwrap() >= 0);
    }

    // Another group begins at the earliest record, as this one would after a reset.
    tokio::task::block_in_place(|| start("analytics-again"));
    let mut again = sales(&pool).await;
    again.sort();
    assert_eq!(again, expected);
}
