//! The settings of a worker's one Kafka client, and where its log goes.

use millrace_contract::connection::KafkaConnection;
use rdkafka::{ClientConfig, ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError};

/// How a client calls itself at the brokers.
pub struct ClientName<'a> {
    pub client_id: &'a str,
    /// Never joined, and never read: it shows the positions to Kafka's tools.
    pub group_id: &'a str,
}

/// Settings for reading by assignment. A client holds at most about 24 MB of fetched records.
pub fn client_config(connection: &KafkaConnection, name: &ClientName<'_>) -> ClientConfig {
    let KafkaConnection { bootstrap_servers, security_protocol, sasl_mechanism, username, password, ca } = connection;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("security.protocol", security_protocol)
        .set("client.id", name.client_id)
        .set("group.id", name.group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        // Bounds of what is fetched ahead; a worker that is behind stops polling. A fetch is bounded as it comes over
        // the wire: unpacked it is many times as long, and each record costs librdkafka half a kilobyte beside its
        // bytes. A batch of records that is larger than that is fetched nevertheless, alone.
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.max.bytes", "524288")
        .set("max.partition.fetch.bytes", "131072")
        .set("message.max.bytes", "524288")
        .set("receive.message.max.bytes", "104857600")
        .set("fetch.wait.max.ms", "200")
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "100")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("socket.timeout.ms", "10000")
        .set("statistics.interval.ms", "1000")
        .set("max.poll.interval.ms", "86400000");
    if let Some(mechanism) = sasl_mechanism {
        config.set("sasl.mechanism", mechanism);
    }
    if let Some(username) = username {
        config.set("sasl.username", username);
    }
    if let Some(password) = password {
        config.set("sasl.password", &password.0);
    }
    if let Some(ca) = ca {
        config.set("ssl.ca.pem", ca);
    }
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// Sends librdkafka's lines to the worker's log. A broker that is away is no error: it is waited for.
pub(super) struct Log;

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "librdkafka")
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, "librdkafka")
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Log {}
