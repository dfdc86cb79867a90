//! Connections to Kafka and Postgres: the operator's own, or those in a Secret of a view's namespace; each opened once.

use super::{kafka, postgres};
use crate::view::{
    desired::Identity,
    observed::{KafkaAddress, PostgresAddress},
    trouble::Trouble,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use millrace_contract::connection::{KafkaConnection, Password, PostgresConnection, SslMode};
use millrace_crds::Reason;
use sqlx::PgPool;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A connection that nobody asked for in this time is closed.
const KEPT_FOR: Duration = Duration::from_secs(900);
/// The key of a certificate authority in a Secret.
const CA: &str = "ca.crt";

/// Where a connection of the operator's own is described.
#[derive(Debug, Clone)]
pub enum Own<C> {
    Given(C),
    Secret(OwnSecret),
}

/// Secrets of the operator's namespace. They are read in every round: what was rotated is used at once.
#[derive(Debug, Clone)]
pub struct OwnSecret {
    pub namespace: String,
    pub name: String,
    /// The Secret whose ca.crt the server's certificate is checked against.
    pub ca: Option<String>,
    /// Where Kafka is, when the Secret does not say it.
    pub bootstrap_servers: Option<String>,
}

pub struct Connections {
    client: Client,
    kafka: Own<KafkaConnection>,
    postgres: Own<PostgresConnection>,
    admins: Mutex<HashMap<KafkaConnection, (Instant, Arc<kafka::Admin>)>>,
    pools: Mutex<HashMap<PostgresConnection, (Instant, PgPool)>>,
}

impl Connections {
    pub fn new(client: Client, kafka: Own<KafkaConnection>, postgres: Own<PostgresConnection>) -> Connections {
        Connections { client, kafka, postgres, admins: Mutex::default(), pools: Mutex::default() }
    }

    /// The Kafka of a resource in `namespace`, by its own `secret` if it has one, and how its pods reach it.
    pub async fn kafka(
        &self,
        namespace: &str,
        secret: Option<&str>,
    ) -> Result<(KafkaAddress, Arc<kafka::Admin>), Trouble> {
        let connection = match (secret, &self.kafka) {
            (Some(name), _) => {
                let fields = self.secret(namespace, name).await;
                fields.and_then(|fields| fields.kafka()).map_err(|sentence| format!("spec.kafka.secretRef: {sentence}"))
            }
            (None, Own::Given(connection)) => Ok(connection.clone()),
            (None, Own::Secret(own)) => self.own(own).await.and_then(|fields| fields.kafka()),
        }
        .map_err(|sentence| Trouble::sources(Reason::SecretMissing, sentence))?;
        let address = KafkaAddress {
            bootstrap_servers: connection.bootstrap_servers.clone(),
            security_protocol: connection.security_protocol.clone(),
            login: connection.username.is_some(),
            ca: connection.ca.clone(),
            digest: kafka::digest(&connection),
        };
        let open = || kafka::Admin::open(&connection).map(Arc::new);
        Ok((address, kept(&self.admins, &connection, open)?))
    }

    /// The Postgres of a view, and how its workers reach it.
    pub async fn postgres(&self, view: &Identity) -> Result<(PostgresAddress, PgPool), Trouble> {
        let connection = match (&view.postgres_secret, &self.postgres) {
            (Some(name), _) => {
                let fields = self.secret(&view.name.namespace, name).await;
                fields
                    .and_then(|fields| fields.postgres())
                    .map_err(|sentence| format!("spec.postgres.secretRef: {sentence}"))
            }
            (None, Own::Given(connection)) => Ok(connection.clone()),
            (None, Own::Secret(own)) => self.own(own).await.and_then(|fields| fields.postgres()),
        }
        .map_err(|sentence| Trouble::sink(Reason::SecretMissing, sentence))?;
        let address = PostgresAddress {
            host: connection.host.clone(),
            port: connection.port,
            database: connection.database.clone(),
            ssl_mode: match connection.ssl_mode {
                SslMode::Disable => "disable",
                SslMode::Require => "require",
                SslMode::VerifyFull => "verify-full",
            }
            .to_owned(),
            ca: connection.ca.clone(),
        };
        Ok((address, kept(&self.pools, &connection, || Ok(postgres::open(&connection)))?))
    }

    /// The operator's own Secret, with the authority that it is told to trust and no other.
    async fn own(&self, own: &OwnSecret) -> Result<Fields, String> {
        let mut fields = self.secret(&own.namespace, &own.name).await?;
        fields.data.remove(CA);
        if let Some(name) = &own.ca {
            let ca = self.secret(&own.namespace, name).await?.required(CA)?;
            fields.data.insert(CA.to_owned(), ca);
        }
        if let Some(servers) = &own.bootstrap_servers {
            fields.data.insert("bootstrap-servers".to_owned(), servers.clone());
        }
        Ok(fields)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Fields, String> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = secrets
            .get_opt(name)
            .await
            .map_err(|error| format!("the Secret {name} in {namespace} could not be read: {error}"))?
            .ok_or_else(|| format!("there is no Secret {name} in the namespace {namespace}; create it"))?;
        Ok(Fields { name: name.to_owned(), data: text_of(&secret) })
    }
}

/// The texts of a Secret; what is no UTF-8 is left out.
pub fn text_of(secret: &Secret) -> HashMap<String, String> {
    let data = secret.data.iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), String::from_utf8(value.0.clone()).ok()?))).collect()
}

/// The connection that was opened before, or a new one; those not used for long are closed.
fn kept<K: Clone + Eq + Hash, V: Clone>(
    all: &Mutex<HashMap<K, (Instant, V)>>,
    key: &K,
    open: impl FnOnce() -> Result<V, Trouble>,
) -> Result<V, Trouble> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    all.retain(|_, (used, _)| now.duration_since(*used) < KEPT_FOR);
    if let Some((used, value)) = all.get_mut(key) {
        *used = now;
        return Ok(value.clone());
    }
    let value = open()?;
    all.insert(key.clone(), (now, value.clone()));
    Ok(value)
}

/// What a Secret with a connection holds.
struct Fields {
    name: String,
    data: HashMap<String, String>,
}

impl Fields {
    fn required(&self, key: &str) -> Result<String, String> {
        self.optional(key).ok_or_else(|| format!("the Secret {} has no key {key}; add it", self.name))
    }

    fn optional(&self, key: &str) -> Option<String> {
        self.data.get(key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn kafka(&self) -> Result<KafkaConnection, String> {
        Ok(KafkaConnection {
            bootstrap_servers: self.required("bootstrap-servers")?,
            security_protocol: self.optional("security-protocol").unwrap_or_else(|| "PLAINTEXT".to_owned()),
            sasl_mechanism: self.optional("sasl-mechanism"),
            username: self.optional("username"),
            password: self.optional("password").map(Password),
            ca: self.optional(CA),
        })
    }

    fn postgres(&self) -> Result<PostgresConnection, String> {
        let port = self.optional("port").unwrap_or_else(|| "5432".to_owned());
        let mode = self.optional("sslmode").unwrap_or_else(|| "disable".to_owned());
        let in_secret = |sentence: String| format!("in the Secret {}, {sentence}", self.name);
        Ok(PostgresConnection {
            host: self.required("host")?,
            port: port.parse().map_err(|_| in_secret(format!("port is {port:?}; write a number such as 5432")))?,
            database: self.required("dbname")?,
            username: self.required("username")?,
            password: Password(self.required("password")?),
            ssl_mode: mode.parse().map_err(in_secret)?,
            ca: self.optional(CA),
        })
    }
}
