//! Inventory: keeps the stock, reserves it for orders, and asks for the cancellation of those that it is too short for.

use std::collections::BTreeMap;

use clap::Args;
use millrace_demo_consumer::{App, Event, Outgoing, Reading, TABLES};
use millrace_demo_kit::schema::Schema;
use millrace_demo_orders::{
    event::{EventType, OrderEvent},
    order::Order,
};
use rdkafka::message::OwnedMessage;
use sqlx::PgConnection;

#[derive(Args, Clone, Copy)]
#[group(skip)]
pub struct Inventory {
    /// Pieces of a product that nobody has ordered before
    #[arg(long, env = "MILLRACE_DEMO_INITIAL_STOCK", default_value_t = 1000)]
    pub initial_stock: i64,
}

impl App for Inventory {
    type Content = OrderEvent;

    const SCHEMA: Schema = Schema {
        name: "demo_inventory",
        steps: &[
            TABLES,
            "CREATE TABLE stock (
                 product text PRIMARY KEY,
                 initial bigint NOT NULL,
                 available bigint NOT NULL CONSTRAINT stock_available CHECK (available >= 0)
             ) WITH (fillfactor = 50);
             CREATE TABLE decision (
                 event_id text PRIMARY KEY,
                 order_id bigint NOT NULL,
                 product text NOT NULL,
                 quantity bigint NOT NULL,
                 reserved boolean NOT NULL
             );",
        ],
    };

    /// Cancellations on this topic are the answer to what was asked for here: nothing was reserved for them.
    fn read(&self, record: &OwnedMessage) -> Result<Reading<OrderEvent>, String> {
        OrderEvent::reading(record, &[EventType::Created])
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<OrderEvent>],
    ) -> sqlx::Result<Vec<Outgoing>> {
        let mut stock = self.lock_stock(transaction, events).await?;
        let reserved = reserve(&mut stock, events.iter().map(|event| &event.content.order));
        sqlx::query(
            "UPDATE stock SET available = now.available FROM unnest($1::text[], $2::bigint[]) AS now (product, available)
             WHERE stock.product = now.product",
        )
        .bind(stock.keys().collect::<Vec<_>>())
        .bind(stock.values().collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO decision (event_id, order_id, product, quantity, reserved)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[])",
        )
        .bind(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content.order.id).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content.order.product.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.content.order.quantity).collect::<Vec<_>>())
        .bind(&reserved)
        .execute(transaction)
        .await?;
        let short = events.iter().zip(reserved).filter(|(_, reserved)| !reserved);
        Ok(short.map(|(event, _)| cancellation(event)).collect())
    }
}

impl Inventory {
    /// What is available of the events' products, locked in their order.
    async fn lock_stock(
        &self,
        transaction: &mut PgConnection,
        events: &[&Event<OrderEvent>],
    ) -> sqlx::Result<BTreeMap<String, i64>> {
        let products: Vec<&str> = events.iter().map(|event| event.content.order.product.as_str()).collect();
        sqlx::query(
            "INSERT INTO stock (product, initial, available)
             SELECT DISTINCT product, $2, $2 FROM unnest($1::text[]) AS ordered (product) ORDER BY product
             ON CONFLICT DO NOTHING",
        )
        .bind(&products)
        .bind(self.initial_stock)
        .execute(&mut *transaction)
        .await?;
        let lock =
            sqlx::query_as("SELECT product, available FROM stock WHERE product = ANY($1) ORDER BY product FOR UPDATE");
        let rows: Vec<(String, i64)> = lock.bind(&products).fetch_all(transaction).await?;
        Ok(rows.into_iter().collect())
    }
}

/// Takes from the stock for one order after another, as long as there is enough for the whole order; says for which.
fn reserve<'a>(stock: &mut BTreeMap<String, i64>, orders: impl Iterator<Item = &'a Order>) -> Vec<bool> {
    orders
        .map(|order| match stock.get_mut(&order.product) {
            Some(available) if *available >= order.quantity => {
                *available -= order.quantity;
                true
            }
            _ => false,
        })
        .collect()
}

/// Its id follows from that of the order's event: asked again, it is the same event.
fn cancellation(event: &Event<OrderEvent>) -> Outgoing {
    let OrderEvent { order, at, .. } = &event.content;
    let id = format!("{}-cancelled", event.id);
    let cancellation = OrderEvent::cancelled(id, order.clone(), "재고 부족".to_owned(), *at);
    Outgoing { cause: event.id.clone(), key: cancellation.key(), value: cancellation.to_json() }
}

#[cfg(test)]
mod tests {
    use millrace_demo_orders::order::Status;

    use super::*;

    /// `stock` and `orders` as "product pieces", in order; expected is what is left and who got something.
    fn check(stock: &str, orders: &str, expected: &str) {
        let pairs = |text: &str| -> Vec<(String, i64)> {
            text.split(", ")
                .filter_map(|pair| pair.split_once(' '))
                .map(|(product, pieces)| (product.to_owned(), pieces.parse().unwrap()))
                .collect()
        };
        let mut stock: BTreeMap<String, i64> = pairs(stock).into_iter().collect();
        let orders: Vec<Order> = pairs(orders)
            .into_iter()
            .map(|(product, quantity)| Order {
                id: 1,
                user_id: 1,
                product,
                quantity,
                unit_price: 1,
                status: Status::Placed,
                created_at: Default::default(),
            })
            .collect();
        let reserved: String =
            reserve(&mut stock, orders.iter()).iter().map(|yes| if *yes { '+' } else { '-' }).collect();
        let left: Vec<String> = stock.iter().map(|(product, pieces)| format!("{product} {pieces}")).collect();
        assert_eq!(format!("{} {reserved}", left.join(", ")), expected);
    }

    #[test]
    fn an_order_gets_all_of_its_pieces_or_none_and_a_smaller_one_after_it_may_still_get_its_own() {
        check("의자 5, 키보드 3", "키보드 2, 의자 5, 키보드 2, 키보드 1", "의자 0, 키보드 0 ++-+");
        check("의자 5", "책상 1", "의자 5 -");
    }
}
