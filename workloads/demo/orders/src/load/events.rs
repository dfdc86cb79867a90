//! The made-up orders: from a seed the same orders and the same records, every time.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_demo_kit::load::Event;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    event::OrderEvent,
    order::{Order, Status},
};

/// Name and price in won.
const PRODUCTS: [(&str, i64); 16] = [
    ("키보드", 35_000),
    ("마우스", 19_900),
    ("모니터", 289_000),
    ("의자", 154_000),
    ("책상", 210_000),
    ("노트북 거치대", 27_500),
    ("이어폰", 49_000),
    ("웹캠", 68_000),
    ("공책", 2_500),
    ("볼펜", 1_200),
    ("머그컵", 8_900),
    ("USB hub", 23_000),
    ("Desk lamp", 41_000),
    ("Backpack", 77_000),
    ("Café crème", 5_500),
    ("O'Neil \"Pro\" mat", 33_000),
];

/// What is made up. Everything about an order follows from the seed and its id alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orders {
    pub seed: u64,
    pub orders: u64,
    pub first_id: i64,
    /// Who orders: ids from this one on, as many as there are orders in tens.
    pub first_user: i64,
}

impl Orders {
    pub fn ids(&self) -> std::ops::Range<i64> {
        self.first_id..self.first_id + self.orders as i64
    }

    pub fn events(&self) -> impl Iterator<Item = Event> + Send + use<> {
        let orders = *self;
        orders.ids().map(move |id| {
            let event = OrderEvent::created(orders.event_id(id), orders.order(id));
            Event { key: event.key(), value: event.to_json().into_bytes() }
        })
    }

    /// Sent again, an order is the same event: nobody ships it twice.
    fn event_id(&self, id: i64) -> String {
        format!("load-{}-{id}", self.seed)
    }

    fn order(&self, id: i64) -> Order {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(id as u64);
        let (product, unit_price) = PRODUCTS[random.random_range(0..PRODUCTS.len())];
        let start: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).expect("2026 is in range");
        Order {
            id,
            user_id: self.first_user + random.random_range(0..self.orders.div_ceil(10) as i64),
            product: product.to_owned(),
            quantity: random.random_range(1..=5),
            unit_price,
            status: Status::Placed,
            created_at: start + TimeDelta::milliseconds((id - self.first_id) * 250),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ORDERS: Orders = Orders { seed: 7, orders: 500, first_id: 11, first_user: 100 };

    #[test]
    fn the_same_seed_makes_the_same_orders_and_another_seed_others() {
        let all = |orders: Orders| orders.events().map(|event| event.value).collect::<Vec<_>>();
        assert!(all(ORDERS) == all(ORDERS) && all(ORDERS) != all(Orders { seed: 8, ..ORDERS }));
        assert_eq!(all(ORDERS).len(), 500);
    }

    #[test]
    fn every_order_is_an_event_with_an_id_of_its_own_that_an_app_can_read() {
        let events: Vec<OrderEvent> =
            ORDERS.events().map(|event| serde_json::from_slice(&event.value).unwrap()).collect();
        let ids: BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
        let products: BTreeSet<&str> = events.iter().map(|event| event.order.product.as_str()).collect();
        assert_eq!((ids.len(), products.len()), (500, PRODUCTS.len()));
        assert!(events.iter().all(|event| (100..150).contains(&event.order.user_id) && event.order.quantity > 0));
    }
}
