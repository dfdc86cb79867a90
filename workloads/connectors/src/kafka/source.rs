//! Reads the partitions that a worker holds, by assignment: where to read from is Postgres's word, never a group's.

use super::{
    admin::Answers,
    client::{ClientName, Log, client_config},
    identity::TopicIdentity,
};
use crate::RawRecords;
use millrace_contract::{Topics, connection::KafkaConnection};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult},
};
use rdkafka_sys as sys;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    ffi::{CStr, c_char},
    ptr::NonNull,
    time::Duration,
};

/// A client and what it is assigned of its topics. Used by one thread. Where it has several topics, a partition is known
/// by its task's number.
pub struct KafkaSource {
    // Dropped in this order: queues before the client they belong to.
    descriptions: Answers,
    queue: ConsumerQueue,
    consumer: BaseConsumer<Log>,
    topics: Topics,
    /// Whether headers are read at all.
    headers: bool,
    /// The last stable offset of each partition, as of the last answer to a fetch.
    stable: BTreeMap<i32, i64>,
}

/// One turn of the consumer's queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled {
    /// A record was added.
    Record { partition: i32, offset: i64 },
    /// Everything before `offset` was read, transaction markers too.
    End { partition: i32, offset: i64 },
    /// The position is outside the log.
    OutOfRange { partition: i32 },
    /// The log of a new leader ended before the position: records that were read are gone, whatever came since.
    Truncated { partition: i32 },
    /// Something went wrong that librdkafka goes on trying to mend.
    Trouble(String),
    /// Something else was served: statistics, a line of the log.
    Other,
    /// Nothing came in time.
    Nothing,
}

struct ConsumerQueue(NonNull<sys::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues may be used from any thread; this one is used by its owner's.
unsafe impl Send for ConsumerQueue {}

impl Drop for ConsumerQueue {
    fn drop(&mut self) {
        // SAFETY: a reference of our own, given back once.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

impl KafkaSource {
    pub fn new(
        connection: &KafkaConnection,
        name: &ClientName<'_>,
        topics: Topics,
        headers: bool,
    ) -> KafkaResult<KafkaSource> {
        let consumer: BaseConsumer<Log> = client_config(connection, name).create_with_context(Log)?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client is alive; the reference is given back by `ConsumerQueue`.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(client) })
            .ok_or_else(|| KafkaError::ClientCreation("the client has no consumer queue".into()))?;
        Ok(KafkaSource {
            descriptions: Answers::new(client),
            queue: ConsumerQueue(queue),
            consumer,
            topics,
            headers,
            stable: BTreeMap::new(),
        })
    }

    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Asks the brokers what a topic is.
    pub fn identity(&self, topic: &str, timeout: Duration) -> Result<TopicIdentity, String> {
        let cluster_id =
            self.consumer.client().fetch_cluster_id(timeout).ok_or("no broker told the id of its cluster in time")?;
        let description = self.descriptions.describe(topic, timeout)?;
        let partitions = description.as_ref().map_or(0, |description| description.partitions);
        Ok(TopicIdentity { cluster_id, topic_id: description.map(|description| description.topic_id), partitions })
    }

    /// The first offset that the log still has, and the one after its last stable record.
    pub fn bounds(&self, partition: i32, timeout: Duration) -> KafkaResult<(i64, i64)> {
        self.consumer.fetch_watermarks(self.topics.name(partition), self.topics.partition(partition), timeout)
    }

    /// Starts to read partitions, each from an offset; the others are not disturbed.
    pub fn assign(&mut self, partitions: &[(i32, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for &(partition, offset) in partitions {
            list.add_partition_offset(
                self.topics.name(partition),
                self.topics.partition(partition),
                Offset::Offset(offset),
            )?;
            self.stable.remove(&partition);
        }
        self.consumer.incremental_assign(&list)
    }

    /// Stops to read partitions; nothing of them is returned afterwards.
    pub fn unassign(&mut self, partitions: &[i32]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition(self.topics.name(partition), self.topics.partition(partition));
            self.stable.remove(&partition);
        }
        self.consumer.incremental_unassign(&list)
    }

    /// The offset after the last stable record, as the brokers said it last.
    pub fn stable(&self, partition: i32) -> Option<i64> {
        self.stable.get(&partition).copied()
    }

    /// Writes committed positions to the client's consumer group, for other tools to see. Never read back, and not
    /// waited for: what became of it is a line in the log.
    pub fn mirror(&self, positions: &[(i32, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for &(partition, offset) in positions {
            list.add_partition_offset(
                self.topics.name(partition),
                self.topics.partition(partition),
                Offset::Offset(offset),
            )?;
        }
        self.consumer.commit(&list, CommitMode::Async)
    }

    /// Takes the next thing from the queue; a record is added to `records`.
    pub fn poll(&mut self, timeout: Duration, records: &mut RawRecords) -> Polled {
        // SAFETY: the queue is alive; the event is destroyed below, after its last use.
        let Some(event) = NonNull::new(unsafe {
            sys::rd_kafka_queue_poll(self.queue.0.as_ptr(), timeout.as_millis().min(60_000) as i32)
        }) else {
            return Polled::Nothing;
        };
        // SAFETY: the event is alive.
        let polled = unsafe { self.serve(event.as_ptr(), records) };
        // SAFETY: the event is destroyed once.
        unsafe { sys::rd_kafka_event_destroy(event.as_ptr()) };
        polled
    }

    /// # Safety
    /// `event` is alive and came from the consumer's queue.
    unsafe fn serve(&mut self, event: *mut sys::rd_kafka_event_t, records: &mut RawRecords) -> Polled {
        // SAFETY: promised by the caller; what is borrowed from the event is copied before it returns.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_FETCH => {
                    let message = sys::rd_kafka_event_message_next(event);
                    if message.is_null() { Polled::Other } else { self.take(&*message, records) }
                }
                sys::RD_KAFKA_EVENT_ERROR => failure(event, &self.topics),
                sys::RD_KAFKA_EVENT_STATS => {
                    self.look_at_statistics(CStr::from_ptr(sys::rd_kafka_event_stats(event)).to_bytes());
                    Polled::Other
                }
                sys::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                    let code = sys::rd_kafka_event_error(event);
                    if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                        let error = c_text(sys::rd_kafka_event_error_string(event));
                        tracing::info!(error, "positions not written to the consumer group");
                    }
                    Polled::Other
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    log(event);
                    Polled::Other
                }
                _ => Polled::Other,
            }
        }
    }

    /// # Safety
    /// `message` is alive.
    unsafe fn take(&mut self, message: &sys::rd_kafka_message_t, records: &mut RawRecords) -> Polled {
        // SAFETY: promised by the caller.
        unsafe {
            let partition = match self.topics.names() {
                // The name is looked at only where there are several.
                [_] => message.partition,
                _ => task(&self.topics, sys::rd_kafka_topic_name(message.rkt), message.partition),
            };
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let timestamp = sys::rd_kafka_message_timestamp(message, &mut kind);
            let key = bytes(message.key.cast(), message.key_len);
            let value = bytes(message.payload.cast(), message.len);
            records.push(partition, message.offset, timestamp, key, value);
            let mut headers = std::ptr::null_mut();
            if self.headers
                && sys::rd_kafka_message_headers(message, &mut headers)
                    == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                for index in 0.. {
                    let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
                    let code = sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                    if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                        break;
                    }
                    records.push_header(&CStr::from_ptr(name).to_string_lossy(), bytes(value.cast(), size));
                }
            }
            Polled::Record { partition, offset: message.offset }
        }
    }

    fn look_at_statistics(&mut self, json: &[u8]) {
        #[derive(Deserialize)]
        struct Statistics {
            #[serde(default)]
            topics: HashMap<String, Topic>,
        }
        #[derive(Deserialize)]
        struct Topic {
            partitions: HashMap<String, Partition>,
        }
        #[derive(Deserialize)]
        struct Partition {
            partition: i32,
            ls_offset: i64,
        }
        let Ok(mut statistics) = serde_json::from_slice::<Statistics>(json) else {
            tracing::warn!("librdkafka's statistics are not readable");
            return;
        };
        for (index, name) in self.topics.names().iter().enumerate() {
            for partition in statistics.topics.remove(name).into_iter().flat_map(|topic| topic.partitions.into_values())
            {
                if partition.partition >= 0 && partition.ls_offset >= 0 {
                    self.stable.insert(self.topics.task(index, partition.partition), partition.ls_offset);
                }
            }
        }
    }
}

/// The task of a partition of the topic of this name. The client is assigned no other topics.
///
/// # Safety
/// `name` is null or a NUL-terminated string.
unsafe fn task(topics: &Topics, name: *const c_char, partition: i32) -> i32 {
    // SAFETY: promised by the caller.
    let name = unsafe { c_text(name) };
    topics.task_of(&name, partition).unwrap_or(partition)
}

/// # Safety
/// `start` is null or points to `length` bytes that live as long as the result is used.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start, length) })
}

/// # Safety
/// `event` is alive and an error event.
unsafe fn failure(event: *mut sys::rd_kafka_event_t, topics: &Topics) -> Polled {
    // SAFETY: promised by the caller; the topic partition is ours to destroy.
    unsafe {
        let code = sys::rd_kafka_event_error(event);
        let place = sys::rd_kafka_event_topic_partition(event);
        let mut at = None;
        if !place.is_null() {
            at = Some((task(topics, (*place).topic, (*place).partition), (*place).offset));
            sys::rd_kafka_topic_partition_destroy(place);
        }
        match (code, at) {
            (sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF, Some((partition, offset))) => {
                Polled::End { partition, offset }
            }
            // Any other reset names the offset that it is about.
            (sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, Some((partition, offset)))
                if offset == i64::from(sys::RD_KAFKA_OFFSET_INVALID) =>
            {
                Polled::Truncated { partition }
            }
            (
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
                | sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
                Some((partition, _)),
            ) => Polled::OutOfRange { partition },
            _ => Polled::Trouble(c_text(sys::rd_kafka_event_error_string(event))),
        }
    }
}

/// # Safety
/// `event` is alive and a log event.
unsafe fn log(event: *mut sys::rd_kafka_event_t) {
    let (mut facility, mut message, mut level) = (std::ptr::null(), std::ptr::null(), 0);
    // SAFETY: promised by the caller.
    let (facility, message) = unsafe {
        if sys::rd_kafka_event_log(event, &mut facility, &mut message, &mut level) != 0 {
            return;
        }
        (c_text(facility), c_text(message))
    };
    // Syslog's levels: up to 4 is a warning or worse. A broker that is away is waited for: nobody is woken.
    if level <= 4 {
        tracing::warn!(facility, message, "librdkafka");
    } else {
        tracing::debug!(facility, message, "librdkafka");
    }
}

/// # Safety
/// `pointer` is null or a NUL-terminated string.
unsafe fn c_text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
