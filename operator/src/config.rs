//! The operator's configuration: its environment.

use crate::{
    view::{desired::Image, spec::Settings, tenancy::Tenancy},
    world::connections::{Own, OwnSecret},
};
use anyhow::Context;
use clap::Parser;
use millrace_contract::connection::{KafkaConnection, PostgresConnection};
use std::{net::SocketAddr, time::Duration};

/// Keeps MaterializedViews true: topics, catalog, revisions, workers, status.
#[derive(Debug, Parser)]
#[command(name = "millrace-operator", version)]
pub struct Config {
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    postgres: Postgres,
    /// The image that workers run.
    #[arg(long, env = "MILLRACE_WORKER_IMAGE")]
    worker_image: String,
    #[arg(long, env = "MILLRACE_WORKER_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    worker_image_pull_policy: String,
    /// How often a view is looked at although nothing is known to have happened.
    #[arg(long, env = "MILLRACE_RESYNC_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    resync_seconds: u64,
    /// As many views as are built anew at a time, beside what readers see; others wait for their turn.
    #[arg(long, env = "MILLRACE_MAX_CONCURRENT_ROLLOUTS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent_rollouts: u32,
    /// JSON: [{"namespace":"shop","schemas":["shop"],"topics":["*"]}]. Empty: schema = namespace, every topic.
    #[arg(long, env = "MILLRACE_TENANCY", default_value = "")]
    tenancy: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// This process among its replicas.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: String,
    /// Where the Lease of the leader is.
    #[arg(long, env = "POD_NAMESPACE")]
    pub pod_namespace: String,
    /// A filter of tracing.
    #[arg(long, env = "MILLRACE_LOG", default_value = "info")]
    pub log: String,
}

#[derive(Debug, clap::Args)]
struct Kafka {
    /// Empty: the key bootstrap-servers of the Secret.
    #[arg(long, env = "MILLRACE_KAFKA_BOOTSTRAP_SERVERS", default_value = "")]
    kafka_bootstrap_servers: String,
    /// A Secret of the operator's namespace with what it takes to log in. Empty: nothing is asked, nothing encrypted.
    #[arg(long, env = "MILLRACE_KAFKA_SECRET", default_value = "")]
    kafka_secret: String,
    /// The Secret with the ca.crt of the brokers. Empty: the authorities of the image.
    #[arg(long, env = "MILLRACE_KAFKA_CA_SECRET", default_value = "")]
    kafka_ca_secret: String,
}

#[derive(Debug, clap::Args)]
struct Postgres {
    /// A Secret of the operator's namespace with host, port, dbname, username, password and sslmode.
    #[arg(long, env = "MILLRACE_POSTGRES_SECRET")]
    postgres_secret: String,
    /// The Secret with the ca.crt of the server. Empty: the authorities of the image.
    #[arg(long, env = "MILLRACE_POSTGRES_CA_SECRET", default_value = "")]
    postgres_ca_secret: String,
}

impl Config {
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            image: Image { name: self.worker_image.clone(), pull_policy: self.worker_image_pull_policy.clone() },
            tenancy: Tenancy::parse(&self.tenancy).context(
                "MILLRACE_TENANCY is no list of tenants; write [{\"namespace\":\"shop\",\"schemas\":[\"shop\"],\"topics\":[\"*\"]}]",
            )?,
            concurrent_rollouts: self.max_concurrent_rollouts,
        })
    }

    pub fn resync(&self) -> Duration {
        Duration::from_secs(self.resync_seconds)
    }

    pub fn kafka(&self) -> Own<KafkaConnection> {
        let kafka = &self.kafka;
        match given(&kafka.kafka_secret) {
            Some(name) => Own::Secret(OwnSecret {
                namespace: self.pod_namespace.clone(),
                name,
                ca: given(&kafka.kafka_ca_secret),
                bootstrap_servers: given(&kafka.kafka_bootstrap_servers),
            }),
            None => Own::Given(KafkaConnection {
                bootstrap_servers: kafka.kafka_bootstrap_servers.clone(),
                security_protocol: "PLAINTEXT".to_owned(),
                sasl_mechanism: None,
                username: None,
                password: None,
                ca: None,
            }),
        }
    }

    pub fn postgres(&self) -> Own<PostgresConnection> {
        Own::Secret(OwnSecret {
            namespace: self.pod_namespace.clone(),
            name: self.postgres.postgres_secret.clone(),
            ca: given(&self.postgres.postgres_ca_secret),
            bootstrap_servers: None,
        })
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
