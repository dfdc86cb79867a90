//! Analytics: how much of each product was ordered and cancelled.

use std::collections::BTreeMap;

use millrace_demo_consumer::{App, Event, Outgoing, Reading, TABLES};
use millrace_demo_kit::schema::Schema;
use millrace_demo_orders::event::{EventType, OrderEvent};
use rdkafka::message::OwnedMessage;
use sqlx::PgConnection;

pub struct Analytics;

/// What a batch adds to one product.
#[derive(Default)]
struct Sales {
    orders: i64,
    cancelled: i64,
    quantity: i64,
    /// Won; wider than any sum of a batch.
    revenue: i128,
}

impl App for Analytics {
    type Content = OrderEvent;

    const SCHEMA: Schema = Schema {
        name: "demo_analytics",
        steps: &[
            TABLES,
            "CREATE TABLE sales (
                 product text PRIMARY KEY,
                 orders bigint NOT NULL,
                 cancelled bigint NOT NULL,
                 quantity bigint NOT NULL,
                 revenue numeric NOT NULL
             ) WITH (fillfactor = 50)",
        ],
    };

    fn read(&self, record: &OwnedMessage) -> Result<Reading<OrderEvent>, String> {
        OrderEvent::reading(record, &[EventType::Created, EventType::Cancelled])
    }

    /// Merged before it is written, and written in the order of the products.
    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<OrderEvent>],
    ) -> sqlx::Result<Vec<Outgoing>> {
        let sales = merge(events.iter().map(|event| &event.content));
        sqlx::query(
            "INSERT INTO sales AS s (product, orders, cancelled, quantity, revenue)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[]::numeric[])
             ON CONFLICT (product) DO UPDATE SET orders = s.orders + excluded.orders,
                 cancelled = s.cancelled + excluded.cancelled, quantity = s.quantity + excluded.quantity,
                 revenue = s.revenue + excluded.revenue",
        )
        .bind(sales.keys().copied().collect::<Vec<_>>())
        .bind(sales.values().map(|sales| sales.orders).collect::<Vec<_>>())
        .bind(sales.values().map(|sales| sales.cancelled).collect::<Vec<_>>())
        .bind(sales.values().map(|sales| sales.quantity).collect::<Vec<_>>())
        .bind(sales.values().map(|sales| sales.revenue.to_string()).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
        Ok(Vec::new())
    }
}

/// A cancelled order takes back what it has added.
fn merge<'a>(events: impl Iterator<Item = &'a OrderEvent>) -> BTreeMap<&'a str, Sales> {
    let mut merged: BTreeMap<&str, Sales> = BTreeMap::new();
    for OrderEvent { event_type, order, .. } in events {
        let sales = merged.entry(&order.product).or_default();
        let revenue = i128::from(order.quantity) * i128::from(order.unit_price);
        match event_type {
            EventType::Created => {
                sales.orders += 1;
                sales.quantity += order.quantity;
                sales.revenue += revenue;
            }
            EventType::Cancelled => {
                sales.cancelled += 1;
                sales.quantity -= order.quantity;
                sales.revenue -= revenue;
            }
        }
    }
    merged
}
