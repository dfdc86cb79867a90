//! What the order service is: its tables, its topic, and the cancellations that it listens to.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use millrace_demo_consumer::{Consumer, Delivery, Pace, TABLES, health::ConsumerState, metrics::Metrics};
use millrace_demo_kit::{
    connections::KafkaConnection,
    lifecycle::stopped,
    outbox,
    schema::Schema,
    service::{Core, ServeArguments, Service},
    topic,
};
use tokio::{sync::watch, time::sleep};

use crate::{api, cancellations::Cancellations};

pub const SCHEMA: Schema = Schema {
    name: "demo_orders",
    steps: &[
        "CREATE TABLE orders (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             user_id bigint NOT NULL,
             product text NOT NULL,
             quantity bigint NOT NULL,
             unit_price bigint NOT NULL,
             status text NOT NULL CONSTRAINT orders_status CHECK (status IN ('PLACED', 'CANCELLED')),
             created_at timestamptz NOT NULL
         )",
        outbox::TABLE,
        TABLES,
    ],
};

pub const SERVICE: Service = Service { schema: SCHEMA, topic: "order-events" };
pub const INVENTORY_EVENTS: &str = "inventory-events";
const DEAD_LETTERS: &str = "demo-orders-dead-letters";

pub async fn serve(arguments: ServeArguments) -> Result<()> {
    let kafka = arguments.kafka.clone();
    SERVICE
        .serve(arguments, api::routes, |core, stop| async move {
            tokio::select! {
                () = make_topics(&kafka) => {}
                () = stopped(stop.clone()) => return,
            }
            let (state, _) = watch::channel(ConsumerState::Starting);
            listener(core, kafka).run(state, stop).await;
        })
        .await
}

async fn make_topics(kafka: &KafkaConnection) {
    for name in [INVENTORY_EVENTS, DEAD_LETTERS] {
        while let Err(error) = topic::ensure(&kafka.client(), name).await {
            tracing::warn!(error = format!("{error:#}"), topic = name, "topic cannot be made yet");
            sleep(Duration::from_secs(2)).await;
        }
    }
}

/// A group of the service's own; what it does is done in Postgres, so that repetitions do no harm.
fn listener(core: Core, kafka: KafkaConnection) -> Consumer<Cancellations> {
    Consumer {
        app: Arc::new(Cancellations),
        pool: core.pool,
        group: "demo-orders".to_owned(),
        inputs: vec![INVENTORY_EVENTS.to_owned()],
        output: None,
        dead_letters: DEAD_LETTERS.to_owned(),
        delivery: Delivery::AtLeastOnce,
        pace: Pace::USUAL,
        kafka,
        metrics: Metrics::new("demo_orders_consumer"),
    }
}
