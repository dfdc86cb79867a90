//! An order event: the value of a record on `order-events`, and on `inventory-events`, where the inventory asks for
//! cancellations in the same words.
//!
//! The record's key is the order's id as text. One order's events so lie in one partition in their order, a table of
//! orders can be made of the topic (its key is the record's), and no customer, however busy, fills one partition alone.

use chrono::{DateTime, Utc};
use millrace_demo_consumer::{Event, Reading};
use rdkafka::{Message, message::OwnedMessage};
use serde::{Deserialize, Serialize};

use crate::order::{Order, Status};

/// The field order is the order in the JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    pub event_id: String,
    pub event_type: EventType,
    pub order: Order,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    #[serde(rename = "ORDER_CREATED")]
    Created,
    #[serde(rename = "ORDER_CANCELLED")]
    Cancelled,
}

impl OrderEvent {
    pub fn created(event_id: String, order: Order) -> OrderEvent {
        OrderEvent { event_id, event_type: EventType::Created, at: order.created_at, order, reason: None }
    }

    pub fn cancelled(event_id: String, order: Order, reason: String, at: DateTime<Utc>) -> OrderEvent {
        let order = Order { status: Status::Cancelled, ..order };
        OrderEvent { event_id, event_type: EventType::Cancelled, order, reason: Some(reason), at }
    }

    pub fn key(&self) -> String {
        self.order.id.to_string()
    }

    /// Compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, integers and timestamps always have a JSON form")
    }

    /// An error says what is wrong with the record, for the header of a dead letter.
    pub fn read(record: &OwnedMessage) -> Result<OrderEvent, String> {
        let value = record.payload().ok_or("the record has no value; expected an order event")?;
        let event: OrderEvent =
            serde_json::from_slice(value).map_err(|error| format!("the value is no order event: {error}"))?;
        if record.key() != Some(event.key().as_bytes()) {
            let key = record.key().map(String::from_utf8_lossy);
            return Err(format!("the key is {key:?}; expected {:?}, the order's id", event.key()));
        }
        let Order { quantity, unit_price, .. } = event.order;
        if quantity < 1 || unit_price < 0 {
            return Err(format!(
                "quantity is {quantity} and unit_price {unit_price}; expected at least 1 and at least 0"
            ));
        }
        Ok(event)
    }

    /// As an app reads it that wants events of these types.
    pub fn reading(record: &OwnedMessage, wanted: &[EventType]) -> Result<Reading<OrderEvent>, String> {
        let event = OrderEvent::read(record)?;
        if !wanted.contains(&event.event_type) {
            return Ok(Reading::Other);
        }
        Ok(Reading::Event(Event { id: event.event_id.clone(), content: event }))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    const CREATED: &str = r#"{"event_id":"e-1","event_type":"ORDER_CREATED","order":{"id":7,"user_id":3,"product":"키보드","quantity":2,"unit_price":35000,"status":"PLACED","created_at":"2026-01-01T00:00:00.000789Z"},"at":"2026-01-01T00:00:00.000789Z"}"#;

    fn keyboard() -> Order {
        Order {
            id: 7,
            user_id: 3,
            product: "키보드".to_owned(),
            quantity: 2,
            unit_price: 35_000,
            status: Status::Placed,
            created_at: "2026-01-01T00:00:00.000789Z".parse().unwrap(),
        }
    }

    fn record(key: &str, value: Option<&str>) -> OwnedMessage {
        let value = value.map(|text| text.as_bytes().to_vec());
        OwnedMessage::new(value, Some(key.into()), "order-events".into(), Timestamp::NotAvailable, 0, 0, None)
    }

    #[test]
    fn an_event_is_compact_json_with_fields_in_their_fixed_order_and_is_read_back() {
        let event = OrderEvent::created("e-1".to_owned(), keyboard());
        assert_eq!(event.to_json(), CREATED);
        assert_eq!(OrderEvent::read(&record("7", Some(CREATED))), Ok(event));
    }

    #[test]
    fn a_cancellation_carries_the_whole_order_and_the_reason() {
        let at = "2026-01-02T00:00:00Z".parse().unwrap();
        let event = OrderEvent::cancelled("e-2".to_owned(), keyboard(), "재고 부족".to_owned(), at);
        let json = event.to_json();
        assert!(json.contains(r#""status":"CANCELLED""#) && json.contains(r#""reason":"재고 부족""#), "{json}");
        assert_eq!(OrderEvent::read(&record("7", Some(&json))), Ok(event));
    }

    #[test]
    fn what_is_no_order_event_is_told_why() {
        let zero = CREATED.replace("\"quantity\":2", "\"quantity\":0");
        for (key, value, words) in [
            ("7", None, "no value"),
            ("7", Some("깨진 값"), "no order event: expected value"),
            ("8", Some(CREATED), r#"the key is Some("8"); expected "7""#),
            ("7", Some(&zero), "quantity is 0"),
        ] {
            let reason = OrderEvent::read(&record(key, value)).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }
}
