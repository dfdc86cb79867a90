//! One Kafka cluster's topics: seen, made, grown, configured. Never shrunk, never deleted.

use super::{
    super::Performed,
    native::{Client, OffsetOf, PartitionOffsets, Refused},
};
use crate::view::{
    desired::TopicWish,
    known::Known,
    moment::Moment,
    observed::{Kafka, Offsets, Topic},
    topics::TopicChange,
    trouble::Trouble,
};
use millrace_contract::{connection::KafkaConnection, ident::hex_digest};
use millrace_crds::Reason;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult},
    client::DefaultClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(super) const PATIENCE: Duration = Duration::from_secs(6);

/// A client for administration.
pub struct Admin {
    pub(super) client: AdminClient<DefaultClientContext>,
    /// What the client was made with.
    pub(super) config: ClientConfig,
    servers: String,
    /// The gravest complaint of the client since Kafka last answered: it repeats itself once in half a minute only.
    complaint: Mutex<Option<Refused>>,
}

/// Changes whenever anything of the connection changes.
pub fn digest(connection: &KafkaConnection) -> String {
    let KafkaConnection { bootstrap_servers, security_protocol, sasl_mechanism, username, password, ca } = connection;
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let password = password.as_ref().map(|password| password.0.clone()).unwrap_or_default();
    let parts = [
        bootstrap_servers.clone(),
        security_protocol.clone(),
        optional(sasl_mechanism),
        optional(username),
        password,
        optional(ca),
    ];
    hex_digest(parts.iter().map(String::as_str), 16)
}

fn config(connection: &KafkaConnection) -> ClientConfig {
    let KafkaConnection { bootstrap_servers, security_protocol, sasl_mechanism, username, password, ca } = connection;
    let mut config = ClientConfig::new();
    config
        .set("client.id", "millrace-operator")
        .set("bootstrap.servers", bootstrap_servers)
        .set("security.protocol", security_protocol.to_lowercase())
        .set("socket.timeout.ms", "6000")
        .set("reconnect.backoff.max.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Emerg);
    for (key, value) in [
        ("sasl.mechanism", sasl_mechanism.as_ref()),
        ("sasl.username", username.as_ref()),
        ("sasl.password", password.as_ref().map(|password| &password.0)),
        ("ssl.ca.pem", ca.as_ref()),
    ] {
        if let Some(value) = value {
            config.set(key, value);
        }
    }
    config
}

impl Admin {
    pub fn open(connection: &KafkaConnection) -> Result<Admin, Trouble> {
        let config = config(connection);
        let client = config.create().map_err(|error| {
            Trouble::sources(
                Reason::KafkaUnreachable,
                format!("the connection to Kafka is not valid: {error}; correct it in its Secret or in the operator's configuration"),
            )
        })?;
        Ok(Admin { client, config, servers: connection.bootstrap_servers.clone(), complaint: Mutex::default() })
    }

    pub(super) fn native(&self) -> Client {
        // SAFETY: the client belongs to `self`, which every caller below keeps alive until its call is over.
        unsafe { Client::new(self.client.inner().native_ptr()) }
    }

    /// The topics, and the settings that are asked for; `time`: what a new replay begins at; `tombstones`: whether
    /// it matters how long a topic keeps them.
    pub async fn observe(
        self: Arc<Self>,
        wishes: &[TopicWish],
        time: Option<Moment>,
        tombstones: impl Fn(&str) -> bool,
    ) -> Known<Kafka> {
        let mut names: Vec<String> = wishes.iter().map(|wish| wish.topic.clone()).collect();
        names.sort();
        names.dedup();
        let admin = self.clone();
        let looked = tokio::task::spawn_blocking(move || admin.look(&names, time)).await;
        let mut kafka = match looked {
            Ok(Ok(kafka)) => kafka,
            Ok(Err(trouble)) => return Known::Unknown(trouble),
            Err(error) => return Known::Unknown(Trouble::sources(Reason::KafkaUnreachable, error.to_string())),
        };
        for wish in wishes {
            let wanted = wish.ensure.as_ref().map(|ensure| &ensure.config).filter(|config| !config.is_empty());
            let Some(Known::Present(topic)) = kafka.by_topic.get_mut(&wish.topic) else { continue };
            if !tombstones(&wish.topic) && wanted.is_none() {
                continue;
            }
            match self.config(&wish.topic).await {
                Ok(found) => {
                    topic.keeps_tombstones = keeps_tombstones(&found);
                    topic.config =
                        found.into_iter().filter(|(key, _)| wanted.is_some_and(|it| it.contains_key(key))).collect();
                }
                // Whoever may read a topic's records may not always read its settings.
                Err(trouble) if wanted.is_none() && trouble.reason == Reason::KafkaNotAuthorized => {}
                Err(trouble) => {
                    kafka.by_topic.insert(wish.topic.clone(), Known::Unknown(trouble));
                }
            }
        }
        Known::Present(kafka)
    }

    /// `time` is that of a new replay.
    fn look(&self, names: &[String], time: Option<Moment>) -> Result<Kafka, Trouble> {
        let native = self.native();
        let explain = |refused: Refused| self.trouble("described", refused);
        let cluster_id = self.client.inner().fetch_cluster_id(PATIENCE).ok_or_else(|| {
            explain(Refused {
                code: RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                message: "no broker answers".to_owned(),
            })
        })?;
        native.brokers(PATIENCE).map_err(explain)?;
        let described = native.describe_topics(names, PATIENCE).map_err(explain)?;
        let mut by_topic = BTreeMap::new();
        let mut partitions = Vec::new();
        for (name, description) in described {
            let known = match description {
                Ok((id, numbers)) => {
                    partitions.extend(numbers.into_iter().map(|number| (name.clone(), number)));
                    Known::Present(Topic {
                        id,
                        partitions: BTreeMap::new(),
                        since: BTreeMap::new(),
                        config: BTreeMap::new(),
                        keeps_tombstones: None,
                    })
                }
                Err(refused) if is_absent(refused.code) => Known::Absent,
                Err(refused) => Known::Unknown(self.trouble(&format!("topic {name} described"), refused)),
            };
            by_topic.insert(name, known);
        }
        let earliest = native.list_offsets(&partitions, OffsetOf::Earliest, PATIENCE).map_err(explain)?;
        let ends = native.list_offsets(&partitions, OffsetOf::Latest, PATIENCE).map_err(explain)?;
        // After the ends: a record that comes in between is at or past its partition's end, and is not left out.
        let since = match time {
            Some(Moment(time)) => native.list_offsets(&partitions, OffsetOf::Time(time), PATIENCE).map_err(explain)?,
            None => PartitionOffsets::new(),
        };
        for (name, number) in partitions {
            let at = (name, number);
            let answer = |offsets: &PartitionOffsets| match offsets.get(&at) {
                Some(Ok(offset)) => Ok(*offset),
                Some(Err(refused)) => Err(refused.clone()),
                None => {
                    Err(Refused { code: RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTIAL, message: "no answer".to_owned() })
                }
            };
            let both = answer(&earliest).and_then(|earliest| Ok(Offsets { earliest, end: answer(&ends)? }));
            match (both, by_topic.get_mut(&at.0)) {
                (Ok(offsets), Some(Known::Present(topic))) => {
                    topic.partitions.insert(number, offsets);
                    if let Some(Ok(first)) = since.get(&at) {
                        // No record is as young: it begins after the newest one.
                        topic.since.insert(number, if *first < 0 { offsets.end } else { *first });
                    }
                }
                // A partition whose leader does not answer makes the topic's end unknown.
                (Err(refused), Some(known @ Known::Present(_))) => {
                    *known = Known::Unknown(self.trouble(&format!("topic {} partition {number} read", at.0), refused));
                }
                (_, Some(Known::Absent | Known::Unknown(_)) | None) => {}
            }
        }
        self.forget_complaint();
        Ok(Kafka { cluster_id, by_topic })
    }

    fn kept_complaint(&self) -> MutexGuard<'_, Option<Refused>> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client itself says is wrong.
    fn complaint(&self) -> Option<Refused> {
        let mut kept = self.kept_complaint();
        for error in self.native().drain() {
            if kept.as_ref().is_none_or(|before| gravity(error.code) >= gravity(before.code)) {
                *kept = Some(error);
            }
        }
        kept.clone()
    }

    fn forget_complaint(&self) {
        self.native().drain();
        *self.kept_complaint() = None;
    }

    /// The settings of a topic.
    async fn config(&self, topic: &str) -> Result<BTreeMap<String, String>, Trouble> {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let explain = |code| self.trouble(&format!("topic {topic} described"), code);
        let resources = self
            .client
            .describe_configs([&ResourceSpecifier::Topic(topic)], &options)
            .await
            .map_err(|error| explain(refused_by(&error)))?;
        let mut found = BTreeMap::new();
        for resource in resources {
            let resource = resource.map_err(|code| explain(refused(code)))?;
            for entry in resource.entries {
                if let Some(value) = entry.value {
                    found.insert(entry.name, value);
                }
            }
        }
        Ok(found)
    }

    /// Makes the topic, or gives it more.
    pub async fn perform(self: Arc<Self>, change: &TopicChange) -> Result<Performed, Trouble> {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        match change {
            TopicChange::Create { topic, partitions, replicas, config } => {
                let mut new = NewTopic::new(topic, *partitions, TopicReplication::Fixed(*replicas));
                for (key, value) in config {
                    new = new.set(key, value);
                }
                let answers = self.client.create_topics([&new], &options).await;
                self.answer(&format!("topic {topic} made"), answers)
            }
            TopicChange::Grow { topic, from: _, to } => {
                // Asks for a number of partitions, not for more of them: repeating it changes nothing.
                let new = NewPartitions::new(topic, usize::try_from(*to).unwrap_or(0));
                match self.client.create_partitions([&new], &options).await {
                    Ok(answers)
                        if answers
                            .iter()
                            .any(|answer| matches!(answer, Err((_, RDKafkaErrorCode::InvalidPartitions)))) =>
                    {
                        Ok(Performed::NotYet(format!("another look: topic {topic} may have {to} partitions already")))
                    }
                    answers => self.answer(&format!("topic {topic} grown to {to} partitions"), answers),
                }
            }
            TopicChange::Configure { topic, config } => {
                let (admin, topic, config) = (self.clone(), topic.clone(), config.clone());
                let done = tokio::task::spawn_blocking(move || {
                    let done = admin.native().set_config(&topic, &config, PATIENCE);
                    done.map_err(|refused| admin.trouble(&format!("topic {topic} configured"), refused))
                })
                .await;
                match done {
                    Ok(done) => done.map(|()| Performed::Done),
                    Err(error) => Err(Trouble::sources(Reason::KafkaUnreachable, error.to_string())),
                }
            }
        }
    }

    pub(super) fn answer(
        &self,
        what: &str,
        answers: Result<Vec<TopicResult>, KafkaError>,
    ) -> Result<Performed, Trouble> {
        let answers = answers.map_err(|error| self.trouble(what, refused_by(&error)))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(self.trouble(what, refused(code))),
            }
        }
        Ok(Performed::Done)
    }

    /// What a refusal means for the view, with what the client itself had to say.
    pub(super) fn trouble(&self, what: &str, refused: Refused) -> Trouble {
        use RDKafkaRespErr as E;
        let complaint = self.complaint();
        let servers = &self.servers;
        if let Some(error) = &complaint
            && error.code == E::RD_KAFKA_RESP_ERR__AUTHENTICATION
        {
            return Trouble::sources(
                Reason::KafkaAuthenticationFailed,
                format!(
                    "Kafka at {servers} refused the login: {}; correct the user, the password and the mechanism in the \
                     connection's Secret",
                    error.message
                ),
            );
        }
        match refused.code {
            E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            | E::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
            | E::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => Trouble::sources(
                Reason::KafkaNotAuthorized,
                format!(
                    "Kafka at {servers} does not let its user have {what}: {}; give the user the right",
                    refused.message
                ),
            ),
            E::RD_KAFKA_RESP_ERR_INVALID_CONFIG
            | E::RD_KAFKA_RESP_ERR_INVALID_PARTITIONS
            | E::RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR
            | E::RD_KAFKA_RESP_ERR_INVALID_REQUEST
            | E::RD_KAFKA_RESP_ERR_POLICY_VIOLATION => Trouble::sources(
                Reason::TopicNotAsAsked,
                format!(
                    "Kafka at {servers} refused to have {what}: {}; correct ensureTopic of the source",
                    refused.message
                ),
            ),
            _ => {
                let more = match complaint {
                    Some(error) if error.code == E::RD_KAFKA_RESP_ERR__SSL => format!(
                        " ({}); correct bootstrap-servers, security-protocol or ca.crt in the connection's Secret",
                        error.message
                    ),
                    Some(error) => format!(" ({})", error.message),
                    None => String::new(),
                };
                Trouble::sources(
                    Reason::KafkaUnreachable,
                    format!("Kafka at {servers} could not be asked to have {what}: {}{more}", refused.message),
                )
            }
        }
    }
}

/// Which of two complaints says more: a refused login, then a refused certificate; that all brokers are down is the least.
fn gravity(code: RDKafkaRespErr) -> u8 {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTHENTICATION => 3,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__SSL => 2,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN => 0,
        _ => 1,
    }
}

/// How long a topic with these settings keeps tombstones, when it is compacted.
fn keeps_tombstones(config: &BTreeMap<String, String>) -> Option<Duration> {
    let compacted = config.get("cleanup.policy")?.split(',').any(|policy| policy.trim() == "compact");
    let kept = config.get("delete.retention.ms")?.parse().ok()?;
    compacted.then_some(Duration::from_millis(kept))
}

fn is_absent(code: RDKafkaRespErr) -> bool {
    matches!(
        code,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
    )
}

pub(super) fn refused(code: RDKafkaErrorCode) -> Refused {
    Refused {
        code: RDKafkaRespErr::try_from(code as i32).unwrap_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN),
        message: code.to_string(),
    }
}

pub(super) fn refused_by(error: &KafkaError) -> Refused {
    match error.rdkafka_error_code() {
        Some(code) => Refused { message: error.to_string(), ..refused(code) },
        None => Refused { code: RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN, message: error.to_string() },
    }
}
