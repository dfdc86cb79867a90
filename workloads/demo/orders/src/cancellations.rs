//! Cancellations: what the inventory asks for on `inventory-events` becomes the order's own state, and its own event.

use millrace_demo_consumer::{App, Event, Outgoing, Reading};
use millrace_demo_kit::{outbox, schema::Schema};
use rdkafka::message::OwnedMessage;
use sqlx::PgConnection;

use crate::{
    event::{EventType, OrderEvent},
    order::Order,
    service::SCHEMA,
};

/// An app beside the service, in its schema. It sends nothing by itself: its events go by the outbox.
pub struct Cancellations;

impl App for Cancellations {
    type Content = OrderEvent;

    const SCHEMA: Schema = SCHEMA;

    fn read(&self, record: &OwnedMessage) -> Result<Reading<OrderEvent>, String> {
        OrderEvent::reading(record, &[EventType::Cancelled])
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<OrderEvent>],
    ) -> sqlx::Result<Vec<Outgoing>> {
        let ids: Vec<i64> = events.iter().map(|event| event.content.order.id).collect();
        // An order that a load has made up is no order of this service.
        let orders: Vec<Order> = sqlx::query_as(
            "UPDATE orders SET status = 'CANCELLED'
             WHERE id IN (SELECT id FROM orders WHERE id = ANY($1) AND status = 'PLACED' ORDER BY id FOR UPDATE)
             RETURNING id, user_id, product, quantity, unit_price, status, created_at",
        )
        .bind(ids)
        .fetch_all(&mut *transaction)
        .await?;
        for order in orders {
            let Some(asked) = events.iter().find(|event| event.content.order.id == order.id) else { continue };
            let reason = asked.content.reason.clone().unwrap_or_default();
            let event = OrderEvent::cancelled(format!("{}-confirmed", asked.id), order, reason, asked.content.at);
            outbox::append(transaction, &event.key(), &event.to_json()).await?;
        }
        Ok(Vec::new())
    }
}
