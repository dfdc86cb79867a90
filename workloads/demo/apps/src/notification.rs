//! Notification: tells customers what became of their orders. The messages go to the output topic, for whoever sends them.

use millrace_demo_consumer::{App, Event, Outgoing, Reading, TABLES};
use millrace_demo_kit::schema::Schema;
use millrace_demo_orders::event::{EventType, OrderEvent};
use rdkafka::message::OwnedMessage;
use sqlx::PgConnection;

pub struct Notification;

impl App for Notification {
    type Content = OrderEvent;

    const SCHEMA: Schema = Schema {
        name: "demo_notification",
        steps: &[
            TABLES,
            "CREATE TABLE message (
                 event_id text PRIMARY KEY,
                 order_id bigint NOT NULL,
                 user_id bigint NOT NULL,
                 text text NOT NULL,
                 at timestamptz NOT NULL
             );
             CREATE INDEX message_order ON message (order_id);",
        ],
    };

    fn read(&self, record: &OwnedMessage) -> Result<Reading<OrderEvent>, String> {
        OrderEvent::reading(record, &[EventType::Created, EventType::Cancelled])
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<OrderEvent>],
    ) -> sqlx::Result<Vec<Outgoing>> {
        let texts: Vec<String> = events.iter().map(|event| text(&event.content)).collect();
        sqlx::query(
            "INSERT INTO message (event_id, order_id, user_id, text, at)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[])",
        )
        .bind(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content.order.id).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content.order.user_id).collect::<Vec<_>>())
        .bind(&texts)
        .bind(events.iter().map(|event| event.content.at).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
        let outgoing = |(event, value): (&&Event<OrderEvent>, String)| Outgoing {
            cause: event.id.clone(),
            key: event.content.order.user_id.to_string(),
            value,
        };
        Ok(events.iter().zip(texts).map(outgoing).collect())
    }
}

fn text(event: &OrderEvent) -> String {
    let order = &event.order;
    match event.event_type {
        EventType::Created => format!("주문 {}: {} {}개를 받았습니다", order.id, order.product, order.quantity),
        EventType::Cancelled => {
            let reason = event.reason.as_deref().unwrap_or("사유 없음");
            format!("주문 {}: {} 취소되었습니다 ({reason})", order.id, order.product)
        }
    }
}
