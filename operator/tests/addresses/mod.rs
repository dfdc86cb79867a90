//! Where the Kafka and the Postgres of values are.

use millrace_operator::view::observed::{KafkaAddress, PostgresAddress};

pub fn kafka_address() -> KafkaAddress {
    KafkaAddress {
        bootstrap_servers: "kafka:9092".into(),
        security_protocol: "PLAINTEXT".into(),
        login: false,
        ca: None,
        digest: "k".into(),
    }
}

pub fn postgres_address() -> PostgresAddress {
    PostgresAddress {
        host: "postgres".into(),
        port: 5432,
        database: "millrace".into(),
        ssl_mode: "disable".into(),
        ca: None,
    }
}
