//! For tests: a reader of brokers that nobody runs.

use super::{Command, Reader, Shared, Turning};
use crate::{
    prepared::{Prepared, Preparer},
    telemetry::health::Health,
};
use millrace_connectors::kafka::{ClientName, KafkaSource};
use millrace_contract::{Plan, Topics, connection::KafkaConnection};
use rdkafka::error::{KafkaError, KafkaResult};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc as blocking,
};
use tokio::sync::mpsc;

/// A reader, what it is told with, and what comes of it.
pub struct StandIn {
    pub turning: Turning,
    pub commands: blocking::Sender<Command>,
    pub prepared: mpsc::Receiver<Prepared>,
    /// Whether clients for other groups are refused.
    pub refuses: Arc<AtomicBool>,
}

fn client(group: &str, topics: Topics) -> KafkaResult<KafkaSource> {
    let connection = KafkaConnection {
        bootstrap_servers: "127.0.0.1:1".into(),
        security_protocol: "PLAINTEXT".into(),
        sasl_mechanism: None,
        username: None,
        password: None,
        ca: None,
    };
    KafkaSource::new(&connection, &ClientName { client_id: "user-view-0", group_id: group }, topics, false)
}

impl StandIn {
    pub fn new(plan: Plan) -> StandIn {
        let topics = plan.topics();
        let refuses = Arc::new(AtomicBool::new(false));
        let (commands, commands_of_reader) = blocking::channel();
        let (prepared_of_reader, prepared) = mpsc::channel(1);
        let refused = refuses.clone();
        let reader = Reader {
            source: client("building", topics.clone()).expect("a client"),
            connect: Box::new(move |group| match refused.load(Ordering::Relaxed) {
                true => Err(KafkaError::ClientCreation("no thread is left".into())),
                false => client(group, topics.clone()),
            }),
            group: "building".into(),
            preparer: Arc::new(Preparer::new(Arc::new(plan)).expect("the plan runs")),
            commands: commands_of_reader,
            prepared: prepared_of_reader,
            events: mpsc::unbounded_channel().0,
            shared: Arc::new(Shared {
                epoch_records: AtomicUsize::new(1),
                limit: Mutex::new(None),
                stable: Mutex::default(),
            }),
            health: Arc::new(Health::new()),
        };
        StandIn { turning: Turning::new(reader), commands, prepared, refuses }
    }
}
