//! A Kafka and a Postgres outside the release, in a namespace of their own: reached by TLS and with a login only.

use crate::{
    certificates::Authority,
    shell::{CONTEXT, apply, eventually, kubectl, run_with_input},
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

pub const NAMESPACE: &str = "secured";
const USER: &str = "millrace";
const KAFKA_PASSWORD: &str = "kafka-password.9";
const POSTGRES_PASSWORD: &str = "postgres's \\ password";

/// Clients are let in on 9094; the other two listeners are for the broker itself, and for the tool that makes its user.
const SERVER_PROPERTIES: &str = "process.roles=broker,controller
node.id=${KAFKA_NODE_ID}
controller.quorum.voters=${KAFKA_NODE_ID}@127.0.0.1:9093
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listeners=SECURE://:9094,INTERNAL://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
advertised.listeners=SECURE://kafka.secured.svc:9094,INTERNAL://127.0.0.1:9092
listener.security.protocol.map=SECURE:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location=/tmp/keystore.pem
log.dirs=/var/lib/kafka/log
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
";

/// Before a line with the login.
const CLIENT_PROPERTIES: &str = "security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
ssl.truststore.type=PEM
ssl.truststore.location=/etc/kafka/ca.crt
";

const POSTGRESQL_CONF: &str = "listen_addresses = '*'
password_encryption = 'scram-sha-256'
unix_socket_directories = '/var/run/postgresql'
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 40
shared_buffers = '32MB'
ssl = on
ssl_cert_file = '/etc/postgresql/tls.crt'
ssl_key_file = '/etc/postgresql/tls.key'
";

const PG_HBA: &str = "local   all all peer
hostssl all all all scram-sha-256
";

/// What the Secrets of the view say: where the servers are, who logs in, and which authority is trusted.
#[derive(Debug, Clone)]
pub struct Logins {
    pub kafka_password: String,
    pub postgres_password: String,
    pub ca: String,
    /// Hosts are `kafka.secured.<domain>` and `postgres.secured.<domain>`; the certificates have the domain `svc`.
    pub domain: String,
}

impl Logins {
    /// Writes the Secrets `kafka-login` and `postgres-login`.
    pub fn apply(&self) -> Result<()> {
        let host = |server: &str| format!("{server}.{NAMESPACE}.{}", self.domain);
        let kafka = json!({
            "bootstrap-servers": format!("{}:9094", host("kafka")),
            "security-protocol": "SASL_SSL",
            "sasl-mechanism": "SCRAM-SHA-512",
            "username": USER,
            "password": self.kafka_password,
            "ca.crt": self.ca,
        });
        let postgres = json!({
            "host": host("postgres"),
            "dbname": USER,
            "username": USER,
            "password": self.postgres_password,
            "sslmode": "verify-full",
            "ca.crt": self.ca,
        });
        apply(&list([secret("kafka-login", kafka), secret("postgres-login", postgres)])).map(drop)
    }
}

/// Starts both servers in a new namespace and gives the logins that they take.
pub fn start() -> Result<Logins> {
    remove_leftovers()?;
    let authority = Authority::new("the authority of the namespace secured")?;
    let ca = authority.certificate();
    let server = |name: &str, more: Value| -> Result<Value> {
        let certified = authority.certify(&format!("{name}.{NAMESPACE}.svc"))?;
        let mut data = json!({
            "tls.crt": certified.certificate, "tls.key": certified.key, "ca.crt": ca, "username": USER, "dbname": USER,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        Ok(secret(&format!("{name}-server"), data))
    };
    let login_module = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    let kafka = json!({
        "password": KAFKA_PASSWORD,
        "server.properties": SERVER_PROPERTIES,
        "client.properties": format!(
            "{CLIENT_PROPERTIES}sasl.jaas.config={login_module} username=\"{USER}\" password=\"{KAFKA_PASSWORD}\";\n"
        ),
    });
    let postgres = json!({
        "password": POSTGRES_PASSWORD, "postgresql.conf": POSTGRESQL_CONF, "pg_hba.conf": PG_HBA,
    });
    let servers = include_str!("secured.yaml")
        .replace("KAFKA_IMAGE", &image_of("kafka")?)
        .replace("POSTGRES_IMAGE", &image_of("postgres")?);
    apply(&format!("{servers}---\n{}", list([server("kafka", kafka)?, server("postgres", postgres)?])))?;
    for name in ["postgres", "kafka"] {
        kubectl(&["-n", NAMESPACE, "rollout", "status", &format!("statefulset/{name}"), "--timeout=120s"])?;
    }
    kubectl(&["-n", NAMESPACE, "exec", "kafka-0", "--", "kafka-scram-user"])?;
    Ok(Logins {
        kafka_password: KAFKA_PASSWORD.into(),
        postgres_password: POSTGRES_PASSWORD.into(),
        ca,
        domain: "svc".into(),
    })
}

/// Has the namespace deleted, and everything in it.
pub fn delete() -> Result<()> {
    kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]).map(drop)
}

/// What a run that failed has left. Its views would wait for servers that go with them.
fn remove_leftovers() -> Result<()> {
    delete()?;
    let views = kubectl(&["-n", NAMESPACE, "get", "mv", "-o", "name"])?;
    for view in views.split_whitespace() {
        let nothing = r#"{"metadata":{"finalizers":null}}"#;
        // It may be gone by itself by now.
        kubectl(&["-n", NAMESPACE, "patch", view, "--type", "merge", "-p", nothing]).ok();
    }
    eventually("the namespace of an earlier run is gone", Duration::from_secs(120), || {
        let left = kubectl(&["get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name"])?;
        ensure!(left.is_empty(), "found {left}");
        Ok(())
    })
}

/// Sends one record with Kafka's own tool, which logs in as every client must.
pub fn produce(topic: &str, key: &str, value: &Value) -> Result<()> {
    let tool = ["--context", CONTEXT, "-n", NAMESPACE, "exec", "-i", "kafka-0", "--", "kafka-console-producer"];
    let broker = ["--bootstrap-server", "kafka.secured.svc:9094", "--producer.config", "/etc/kafka/client.properties"];
    let record = ["--topic", topic, "--property", "parse.key=true", "--property", "key.separator=|"];
    run_with_input("kubectl", &[&tool[..], &broker, &record].concat(), &format!("{key}|{value}\n")).map(drop)
}

/// `psql -c` as the superuser, by the server's own socket.
pub fn psql(sql: &str) -> Result<String> {
    let client = ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", USER, "-c", sql];
    let said = kubectl(&[&["-n", NAMESPACE, "exec", "postgres-0", "--"], &client[..]].concat())?;
    Ok(said.trim().to_owned())
}

/// The image that the release runs: the nodes have it.
fn image_of(server: &str) -> Result<String> {
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let image = kubectl(&["-n", "millrace-system", "get", "statefulset", server, "-o", path])?;
    ensure!(!image.is_empty(), "the statefulset {server} of millrace-system names no image");
    Ok(image)
}

fn secret(name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data,
    })
}

fn list(items: impl IntoIterator<Item = Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items.into_iter().collect::<Vec<_>>()}).to_string()
}
