//! An order's way: placed over REST, refused by the inventory, cancelled in the end, and told to the customer.

use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use serde_json::Value;
use sqlx::PgPool;
use tokio::runtime::Handle;

use crate::stage::{Reader, Running, app, ask, committed_and_ends, eventually, free_port, program, topics, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_stock_is_too_short_for_is_cancelled() {
    let kafka = TemporaryKafka::shared().await;
    let database = TemporaryPostgres::owned_database().await;
    let pool = PgPool::connect(&database.uri).await.unwrap();
    // The names are the program's own; no other test has them.
    topics(kafka, ["order-events", "inventory-events", "inventory-dead-letters"]).await;
    let run = move || {
        let port = free_port();
        let mut service = Running::start(program("orders", port, kafka, &database));
        let topics = ["order-events", "inventory-dead-letters,inventory-events"];
        let mut command = app("inventory", free_port(), kafka, &database, "inventory", topics);
        command.env("MILLRACE_DEMO_DELIVERY", "exactly-once").env("MILLRACE_DEMO_INITIAL_STOCK", "5");
        let mut inventory = Running::start(command);
        wait_for(port, "/readyz", 200, "relaying");
        let place = |quantity: i64| {
            let body = format!(r#"{{"user_id":3,"product":"의자","quantity":{quantity},"unit_price":154000}}"#);
            let (status, order) = ask(port, "POST", "/api/orders", &body).unwrap();
            assert_eq!(status, 201, "{order}");
            serde_json::from_str::<Value>(&order).unwrap()["id"].as_i64().unwrap()
        };
        // One after the other: two orders may lie in two partitions.
        let kept = place(3);
        let mut reader = Reader::new(kafka, "order-events");
        reader.wait_for(1);
        let status_of = |id: i64| {
            let (_, order) = ask(port, "GET", &format!("/api/orders/{id}"), "").unwrap();
            serde_json::from_str::<Value>(&order).unwrap()["status"].as_str().unwrap().to_owned()
        };
        eventually("the first order has its pieces", || {
            let decisions = sqlx::query_scalar("SELECT count(*) FROM demo_inventory.decision WHERE reserved");
            Handle::current().block_on(decisions.fetch_one(&pool)).is_ok_and(|count: i64| count == 1)
        });
        let refused = place(3);
        eventually("the second order is cancelled", || status_of(refused) == "CANCELLED");
        assert_eq!(status_of(kept), "PLACED");
        // The service says so itself, on its own topic.
        reader.wait_for(3);
        let keys = reader.keys();
        assert_eq!((keys[&(kept as u64)], keys[&(refused as u64)]), (1, 2));

        // The outbox sends in transactions; their markers are no records that anybody lags behind.
        eventually("the inventory's lag is 0", || {
            let (committed, ends) = committed_and_ends(kafka, "inventory", "order-events");
            committed == ends
        });

        let (status, body) =
            ask(port, "POST", "/api/orders", r#"{"user_id":3,"product":"의자","quantity":0}"#).unwrap();
        assert_eq!(status, 400);
        assert!(body.contains(r#""field":"quantity""#), "{body}");
        let (status, body) = ask(port, "GET", "/api/orders?limit=1", "").unwrap();
        assert!(status == 200 && body.contains(&format!(r#""next":{kept}"#)), "{body}");
        inventory.terminate();
        service.terminate();
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
