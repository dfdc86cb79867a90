//! What a worker is told by its environment.

use anyhow::Context;
use clap::Parser;
use millrace_connectors::postgres::RevisionName;
use millrace_contract::connection::{KafkaConnection, Password, PostgresConnection, SslMode};
use std::{net::SocketAddr, path::PathBuf};

#[derive(Debug, Clone, Parser)]
#[command(name = "millrace-worker", version, about = "Keeps the tables of one revision of one view true to its topic")]
pub struct Configuration {
    #[arg(long, env = "MILLRACE_NAMESPACE")]
    namespace: String,
    #[arg(long, env = "MILLRACE_VIEW")]
    view: String,
    #[arg(long, env = "MILLRACE_REVISION")]
    revision: String,
    /// The name under which tasks are held; a container that is started again under it goes on at once.
    #[arg(long, env = "POD_NAME")]
    pod_name: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Log filter, as in `info,millrace_worker=debug`. Lines are JSON.
    #[arg(long, env = "MILLRACE_LOG", default_value = "info")]
    pub log: String,

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

    #[arg(long, env = "MILLRACE_POSTGRES_HOST")]
    postgres_host: String,
    #[arg(long, env = "MILLRACE_POSTGRES_PORT", default_value_t = 5432)]
    postgres_port: u16,
    #[arg(long, env = "MILLRACE_POSTGRES_DATABASE")]
    postgres_database: String,
    #[arg(long, env = "MILLRACE_POSTGRES_USERNAME")]
    postgres_username: String,
    #[arg(long, env = "MILLRACE_POSTGRES_PASSWORD", hide_env_values = true, default_value = "")]
    postgres_password: Password,
    #[arg(long, env = "MILLRACE_POSTGRES_SSLMODE", default_value = "disable")]
    postgres_sslmode: SslMode,
    #[arg(long, env = "MILLRACE_POSTGRES_CA_FILE")]
    postgres_ca_file: Option<PathBuf>,
}

impl Configuration {
    pub fn revision_name(&self) -> RevisionName {
        RevisionName {
            namespace: self.namespace.clone(),
            view: self.view.clone(),
            revision: self.revision.clone(),
            holder: self.pod_name.clone(),
        }
    }

    pub fn kafka(&self) -> anyhow::Result<KafkaConnection> {
        Ok(KafkaConnection {
            bootstrap_servers: self.kafka_bootstrap_servers.clone(),
            security_protocol: self.kafka_security_protocol.clone(),
            sasl_mechanism: present(&self.kafka_sasl_mechanism),
            username: present(&self.kafka_username),
            password: self.kafka_password.clone().filter(|password| !password.0.is_empty()),
            ca: certificates(self.kafka_ca_file.as_ref())?,
        })
    }

    pub fn postgres(&self) -> anyhow::Result<PostgresConnection> {
        Ok(PostgresConnection {
            host: self.postgres_host.clone(),
            port: self.postgres_port,
            database: self.postgres_database.clone(),
            username: self.postgres_username.clone(),
            password: self.postgres_password.clone(),
            ssl_mode: self.postgres_sslmode,
            ca: certificates(self.postgres_ca_file.as_ref())?,
        })
    }
}

/// A variable that is set to nothing is not set.
fn present(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn certificates(file: Option<&PathBuf>) -> anyhow::Result<Option<String>> {
    file.filter(|path| !path.as_os_str().is_empty())
        .map(|path| {
            std::fs::read_to_string(path).with_context(|| format!("the CA file {} is not readable", path.display()))
        })
        .transpose()
}
