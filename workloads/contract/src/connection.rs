//! How to reach Kafka and Postgres: the same values for the operator and for the workers.

use std::fmt;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for Password {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Password(text.to_owned()))
    }
}

/// A Kafka cluster and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KafkaConnection {
    /// `host:port`, comma separated.
    pub bootstrap_servers: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub security_protocol: String,
    /// `SCRAM-SHA-256`, `SCRAM-SHA-512` or `PLAIN`, with a SASL protocol.
    pub sasl_mechanism: Option<String>,
    pub username: Option<String>,
    pub password: Option<Password>,
    /// The PEM text that the brokers' certificates are verified against; without it, the system's.
    pub ca: Option<String>,
}

/// A Postgres database and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PostgresConnection {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub username: String,
    pub password: Password,
    pub ssl_mode: SslMode,
    /// The PEM text that the server's certificate is verified against; without it, the system's.
    pub ca: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SslMode {
    Disable,
    Require,
    VerifyFull,
}

impl std::str::FromStr for SslMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(SslMode::Disable),
            "require" => Ok(SslMode::Require),
            "verify-full" => Ok(SslMode::VerifyFull),
            other => Err(format!("sslmode is {other:?}; write disable, require or verify-full")),
        }
    }
}
