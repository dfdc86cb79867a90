//! A consumer group of somebody else: seen, moved while nobody is in it, forgotten; and the topics beside it.

use super::{
    super::Performed,
    native::Refused,
    native_group::{Description, MemberDescription},
    topics::{Admin, PATIENCE, refused, refused_by},
};
use crate::{
    app::observed::{Group, Member},
    view::{known::Known, observed::Kafka, trouble::Trouble},
};
use millrace_crds::{OffsetsByTopic, Reason};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::AdminOptions,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaResult, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use std::{collections::BTreeSet, sync::Arc};

impl Admin {
    /// State, members, and what the group has committed of the topics in `kafka` that `reads` is true of.
    pub async fn group(self: Arc<Self>, group: &str, kafka: &Kafka, reads: impl Fn(&str) -> bool) -> Known<Group> {
        let mut partitions = TopicPartitionList::new();
        for (topic, found) in kafka.topics().filter(|(topic, _)| reads(topic)) {
            found.partitions.keys().for_each(|partition| _ = partitions.add_partition(topic, *partition));
        }
        let group = group.to_owned();
        blocking(move || self.look_at(&group, partitions)).await.map_or_else(Known::Unknown, Known::Present)
    }

    fn look_at(&self, group: &str, partitions: TopicPartitionList) -> Result<Group, Trouble> {
        let Description { state, members } =
            self.describe(group).map_err(|refused| self.trouble(&format!("group {group} described"), refused))?;
        let members = members.into_iter().map(|MemberDescription { client_id, host, partitions }| Member {
            client_id,
            host,
            partitions,
        });
        let mut seen = Group { state, members: members.collect(), committed: OffsetsByTopic::new(), unstable: None };
        if partitions.count() == 0 {
            return Ok(seen);
        }
        let what = format!("the offsets of group {group} read");
        let consumer = self.consumer(group).map_err(|error| self.trouble(&what, refused_by(&error)))?;
        let found = match consumer.committed_offsets(partitions, PATIENCE) {
            Ok(found) => found,
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnstableOffsetCommit) => {
                seen.unstable = Some(format!("the group {group}"));
                return Ok(seen);
            }
            Err(error) => return Err(self.trouble(&what, refused_by(&error))),
        };
        for part in found.elements() {
            match (part.error(), part.offset()) {
                (Ok(()), Offset::Offset(offset)) => {
                    seen.committed.entry(part.topic().to_owned()).or_default().insert(part.partition(), offset);
                }
                (Ok(()), _) => {}
                (Err(error), _) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnstableOffsetCommit) => {
                    seen.unstable = Some(format!("topic {} partition {}", part.topic(), part.partition()));
                }
                (Err(error), _) => return Err(self.trouble(&what, refused_by(&error))),
            }
        }
        Ok(seen)
    }

    /// A client that is in no group, and may read and write the offsets of this one.
    fn consumer(&self, group: &str) -> KafkaResult<BaseConsumer> {
        let mut config = self.config.clone();
        config.set("group.id", group).set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        config.create()
    }

    fn describe(&self, group: &str) -> Result<Description, Refused> {
        let described = self.of_coordinator(|broker| self.native().describe_group(group, broker, PATIENCE));
        match described {
            Err(refused) if refused.code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => {
                Ok(Description { state: "Dead".to_owned(), members: Vec::new() })
            }
            described => described,
        }
    }

    /// Asks one broker after the other, until one does not say that another is the coordinator.
    fn of_coordinator<T>(&self, ask: impl Fn(i32) -> Result<T, Refused>) -> Result<T, Refused> {
        let mut last = Refused {
            code: RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            message: "no broker answers".to_owned(),
        };
        for broker in self.native().brokers(PATIENCE)? {
            match ask(broker) {
                Err(refused) if refused.code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR => last = refused,
                answer => return answer,
            }
        }
        Err(last)
    }

    /// The names of the topics that there are and that `has` is true of.
    pub async fn topics_with(
        self: Arc<Self>,
        has: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<BTreeSet<String>, Trouble> {
        blocking(move || {
            let found = self.client.inner().fetch_metadata(None, PATIENCE);
            let found = found.map_err(|error| self.trouble("its topics listed", refused_by(&error)))?;
            Ok(found.topics().iter().map(|topic| topic.name()).filter(|name| has(name)).map(str::to_owned).collect())
        })
        .await
    }

    pub async fn delete_topics(self: Arc<Self>, topics: &[String]) -> Result<Performed, Trouble> {
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let what = format!("{} deleted", topics.join(", "));
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let answers = self.client.delete_topics(&names, &options).await;
        for answer in answers.map_err(|error| self.trouble(&what, refused_by(&error)))? {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {}
                Err((_, code)) => return Err(self.trouble(&what, refused(code))),
            }
        }
        Ok(Performed::Done)
    }

    /// Commits the offsets as somebody who is no member: the coordinator refuses that while the group has one, so what it
    /// takes is proof that nobody was in it.
    pub async fn alter_offsets(self: Arc<Self>, group: &str, begin: &OffsetsByTopic) -> Result<Performed, Trouble> {
        let mut offsets = TopicPartitionList::new();
        for (topic, partitions) in begin {
            for (partition, offset) in partitions {
                offsets
                    .add_partition_offset(topic, *partition, Offset::Offset(*offset))
                    .map_err(|error| self.trouble("the offsets altered", refused_by(&error)))?;
            }
        }
        if offsets.count() == 0 {
            return Ok(Performed::Done);
        }
        let group = group.to_owned();
        blocking(move || {
            let what = format!("the offsets of group {group} altered");
            let committed = self.consumer(&group).and_then(|consumer| consumer.commit(&offsets, CommitMode::Sync));
            let Err(error) = committed else { return Ok(Performed::Done) };
            match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::StaleMemberEpoch
                    | RDKafkaErrorCode::FencedMemberEpoch
                    | RDKafkaErrorCode::RebalanceInProgress,
                ) => Ok(Performed::NotYet(format!(
                    "the group {group} to be empty: Kafka refuses to move one that has a member"
                ))),
                _ => Err(self.trouble(&what, refused_by(&error))),
            }
        })
        .await
    }

    pub async fn delete_group(self: Arc<Self>, group: &str) -> Result<Performed, Trouble> {
        let group = group.to_owned();
        blocking(move || {
            use RDKafkaRespErr as E;
            match self.of_coordinator(|broker| self.native().delete_group(&group, broker, PATIENCE)) {
                Ok(()) => Ok(Performed::Done),
                Err(refused) if refused.code == E::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Ok(Performed::Done),
                Err(refused) if refused.code == E::RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP => {
                    Ok(Performed::NotYet(format!("the group {group} to be empty")))
                }
                Err(refused) => Err(self.trouble(&format!("group {group} deleted"), refused)),
            }
        })
        .await
    }
}

/// On a thread for it: librdkafka waits for its answers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    let unreachable = |error: tokio::task::JoinError| Trouble::sources(Reason::KafkaUnreachable, error.to_string());
    tokio::task::spawn_blocking(work).await.map_err(unreachable)?
}
