//! The operator's configuration: its environment.

use crate::view::{desired::Image, spec::Settings, tenancy::Tenancy};
use anyhow::Context;
use clap::Parser;
use millrace_contract::connection::{KafkaConnection, Password, PostgresConnection, SslMode};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

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
    #[arg(long, env = "MILLRACE_KAFKA_BOOTSTRAP_SERVERS")]
    kafka_bootstrap_servers: String,
    #[arg(long, env = "MILLRACE_KAFKA_SECURITY_PROTOCOL", default_value = "PLAINTEXT",
          value_parser = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])]
    kafka_security_protocol: String,
    #[arg(long, env = "MILLRACE_KAFKA_SASL_MECHANISM")]
    kafka_sasl_mechanism: Option<String>,
    #[arg(long, env = "MILLRACE_KAFKA_USERNAME")]
    kafka_username: Option<String>,
    #[arg(long, env = "MILLRACE_KAFKA_PASSWORD", hide_env_values = true)]
    kafka_password: Option<Password>,
    #[arg(long, env = "MILLRACE_KAFKA_CA_FILE")]
    kafka_ca_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Postgres {
    #[arg(long, env = "MILLRACE_POSTGRES_HOST")]
    postgres_host: String,
    #[arg(long, env = "MILLRACE_POSTGRES_PORT", default_value_t = 5432)]
    postgres_port: u16,
    #[arg(long, env = "MILLRACE_POSTGRES_DATABASE")]
    postgres_database: String,
    #[arg(long, env = "MILLRACE_POSTGRES_USERNAME")]
    postgres_username: String,
    #[arg(long, env = "MILLRACE_POSTGRES_PASSWORD", hide_env_values = true)]
    postgres_password: Password,
    #[arg(long, env = "MILLRACE_POSTGRES_SSLMODE", default_value = "disable")]
    postgres_sslmode: SslMode,
    #[arg(long, env = "MILLRACE_POSTGRES_CA_FILE")]
    postgres_ca_file: Option<PathBuf>,
}

impl Config {
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            image: Image { name: self.worker_image.clone(), pull_policy: self.worker_image_pull_policy.clone() },
            tenancy: Tenancy::parse(&self.tenancy).context(
                "MILLRACE_TENANCY is no list of tenants; write [{\"namespace\":\"shop\",\"schemas\":[\"shop\"],\"topics\":[\"*\"]}]",
            )?,
        })
    }

    pub fn resync(&self) -> Duration {
        Duration::from_secs(self.resync_seconds)
    }

    pub fn kafka(&self) -> anyhow::Result<KafkaConnection> {
        let kafka = &self.kafka;
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        Ok(KafkaConnection {
            bootstrap_servers: kafka.kafka_bootstrap_servers.clone(),
            security_protocol: kafka.kafka_security_protocol.clone(),
            sasl_mechanism: given(&kafka.kafka_sasl_mechanism),
            username: given(&kafka.kafka_username),
            password: kafka.kafka_password.clone().filter(|password| !password.0.is_empty()),
            ca: pem("MILLRACE_KAFKA_CA_FILE", &kafka.kafka_ca_file)?,
        })
    }

    pub fn postgres(&self) -> anyhow::Result<PostgresConnection> {
        let postgres = &self.postgres;
        Ok(PostgresConnection {
            host: postgres.postgres_host.clone(),
            port: postgres.postgres_port,
            database: postgres.postgres_database.clone(),
            username: postgres.postgres_username.clone(),
            password: postgres.postgres_password.clone(),
            ssl_mode: postgres.postgres_sslmode,
            ca: pem("MILLRACE_POSTGRES_CA_FILE", &postgres.postgres_ca_file)?,
        })
    }
}

fn pem(variable: &str, file: &Option<PathBuf>) -> anyhow::Result<Option<String>> {
    let read = |file: &PathBuf| {
        std::fs::read_to_string(file).with_context(|| format!("{variable} is {}, which cannot be read", file.display()))
    };
    file.as_ref().filter(|file| !file.as_os_str().is_empty()).map(read).transpose()
}
