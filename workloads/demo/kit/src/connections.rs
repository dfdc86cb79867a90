//! Where Kafka and Postgres are and how to enter. The variables of Kafka are those that a StreamApp's pods are given
//! (docs/streamapps.md), so that a service and an app are configured alike.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

#[derive(Args, Clone)]
pub struct KafkaConnection {
    /// host:port of some brokers, comma-separated
    #[arg(long, env = "MILLRACE_BOOTSTRAP_SERVERS")]
    pub bootstrap_servers: String,
    #[arg(long, env = "MILLRACE_SECURITY_PROTOCOL", value_enum, default_value = "PLAINTEXT")]
    pub security_protocol: SecurityProtocol,
    #[arg(long, env = "MILLRACE_SASL_MECHANISM")]
    pub sasl_mechanism: Option<String>,
    #[arg(id = "kafka-username", long, env = "MILLRACE_USERNAME")]
    pub username: Option<String>,
    #[arg(id = "kafka-password", long, env = "MILLRACE_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    #[arg(id = "kafka-ca-file", long, env = "MILLRACE_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// By this a group's members are told apart; in a pod it is the pod's name
    #[arg(long, env = "MILLRACE_CLIENT_ID", default_value = "millrace-demo")]
    pub client_id: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl KafkaConnection {
    pub fn plaintext(bootstrap_servers: &str) -> KafkaConnection {
        KafkaConnection {
            bootstrap_servers: bootstrap_servers.to_owned(),
            security_protocol: SecurityProtocol::Plaintext,
            sasl_mechanism: None,
            username: None,
            password: None,
            ca_file: None,
            client_id: "millrace-demo".to_owned(),
        }
    }

    /// Settings common to every client of ours.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers).set("client.id", &self.client_id);
        let protocol = match self.security_protocol {
            SecurityProtocol::Plaintext => "plaintext",
            SecurityProtocol::Ssl => "ssl",
            SecurityProtocol::SaslPlaintext => "sasl_plaintext",
            SecurityProtocol::SaslSsl => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        let options = [
            ("sasl.mechanism", self.sasl_mechanism.clone()),
            ("sasl.username", self.username.clone()),
            ("sasl.password", self.password.clone()),
            ("ssl.ca.location", self.ca_file.as_ref().map(|file| file.display().to_string())),
        ];
        for (setting, value) in options {
            // A Secret without the key arrives as an empty variable.
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                config.set(setting, value);
            }
        }
        config
    }

    /// A producer that loses nothing and repeats nothing. Its partitioner is Java's: librdkafka's own would
    /// put a key into another partition than every other producer does.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
        config
    }
}

#[derive(Args, Clone)]
pub struct PostgresConnection {
    #[arg(long = "postgres-host", env = "MILLRACE_POSTGRES_HOST")]
    pub host: String,
    #[arg(long = "postgres-port", env = "MILLRACE_POSTGRES_PORT", default_value_t = 5432)]
    pub port: u16,
    #[arg(long = "postgres-database", env = "MILLRACE_POSTGRES_DATABASE")]
    pub database: String,
    #[arg(id = "postgres-username", long, env = "MILLRACE_POSTGRES_USERNAME")]
    pub username: String,
    #[arg(
        id = "postgres-password",
        long,
        env = "MILLRACE_POSTGRES_PASSWORD",
        hide_env_values = true,
        default_value = ""
    )]
    pub password: String,
    /// disable, require or verify-full
    #[arg(long = "postgres-sslmode", env = "MILLRACE_POSTGRES_SSLMODE", default_value = "disable")]
    pub sslmode: String,
    #[arg(id = "postgres-ca-file", long, env = "MILLRACE_POSTGRES_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

impl PostgresConnection {
    /// For a program whose own tables lie in `schema`.
    pub fn options(&self, schema: &str) -> anyhow::Result<PgConnectOptions> {
        let sslmode = PgSslMode::from_str(&self.sslmode).map_err(|_| {
            anyhow::anyhow!("MILLRACE_POSTGRES_SSLMODE is {:?}; expected disable, require or verify-full", self.sslmode)
        })?;
        let mut options = PgConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.username)
            .password(&self.password)
            .ssl_mode(sslmode);
        if let Some(file) = self.ca_file.as_ref().filter(|file| !file.as_os_str().is_empty()) {
            options = options.ssl_root_cert(file);
        }
        Ok(for_service(options, schema))
    }
}

/// Names without a schema mean `schema`. The server notices within 20 s that a peer is gone and frees what it held, the
/// relay's lock above all.
pub fn for_service(options: PgConnectOptions, schema: &str) -> PgConnectOptions {
    options.application_name(schema).options([
        ("search_path", schema),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("lock_timeout", "5s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ])
}
