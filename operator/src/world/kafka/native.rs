//! Admin calls of librdkafka that the safe client does not have: topic ids, offsets under read_committed, and changing
//! single settings of a topic.
//!
//! Each call here owns a queue of its own and waits for its one answer, so it blocks: callers run it on a thread for it.

use rdkafka::{bindings as sys, types::RDKafkaRespErr};
use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    os::raw::{c_char, c_int},
    time::Duration,
};

/// What Kafka answered instead of a result.
#[derive(Debug, Clone)]
pub struct Refused {
    pub code: RDKafkaRespErr,
    pub message: String,
}

/// A client that outlives the calls made with it.
#[derive(Clone, Copy)]
pub struct Client(pub(super) *mut sys::rd_kafka_t);

/// A topic's id and partition numbers, or why it could not be described.
pub type Description = Result<(String, Vec<i32>), Refused>;

/// Offsets by topic and partition, or why one could not be had.
pub type PartitionOffsets = BTreeMap<(String, i32), Result<i64, Refused>>;

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy)]
pub enum OffsetOf {
    /// The first one.
    Earliest,
    /// The last stable one.
    Latest,
    /// That of the first record from this time on, in milliseconds since 1970.
    Time(i64),
}

struct Queue(*mut sys::rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue was made by `rd_kafka_queue_new` and is destroyed once.
        unsafe { sys::rd_kafka_queue_destroy(self.0) }
    }
}

pub(super) struct Event(pub(super) *mut sys::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event was given by `rd_kafka_queue_poll` and is destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0) }
    }
}

struct Options(*mut sys::rd_kafka_AdminOptions_t);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: the options were made by `rd_kafka_AdminOptions_new` and are destroyed once.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0) }
    }
}

pub(super) fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka gives NUL-terminated texts that live as long as the event they belong to.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

pub(super) fn c_text(name: &str) -> Result<CString, Refused> {
    CString::new(name).map_err(|_| Refused {
        code: RDKafkaRespErr::RD_KAFKA_RESP_ERR__INVALID_ARG,
        message: format!("{name:?} has a NUL character"),
    })
}

fn milliseconds(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

impl Client {
    /// # Safety
    /// `client` must stay alive while the value or a copy of it is used.
    pub unsafe fn new(client: *mut sys::rd_kafka_t) -> Client {
        Client(client)
    }

    /// Makes a call with a queue and options of its own, and waits for its answer.
    pub(super) fn ask(
        self,
        operation: sys::rd_kafka_admin_op_t,
        timeout: Duration,
        call: impl FnOnce(*mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, Refused> {
        // SAFETY: the client is alive (`new`); queue and options outlive the call, and librdkafka copies what it needs.
        let event = unsafe {
            let queue = Queue(sys::rd_kafka_queue_new(self.0));
            let options = Options(sys::rd_kafka_AdminOptions_new(self.0, operation));
            let mut said = [0 as c_char; 128];
            sys::rd_kafka_AdminOptions_set_request_timeout(
                options.0,
                milliseconds(timeout),
                said.as_mut_ptr(),
                said.len(),
            );
            call(options.0, queue.0);
            // The request has its own timeout, so this one is only for what must not happen.
            sys::rd_kafka_queue_poll(queue.0, milliseconds(timeout + Duration::from_secs(2)))
        };
        if event.is_null() {
            return Err(Refused {
                code: RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT,
                message: "no answer".to_owned(),
            });
        }
        let event = Event(event);
        // SAFETY: the event is alive.
        let code = unsafe { sys::rd_kafka_event_error(event.0) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            // SAFETY: as above.
            return Err(Refused { code, message: text(unsafe { sys::rd_kafka_event_error_string(event.0) }) });
        }
        Ok(event)
    }

    /// Id and partitions of each topic.
    pub fn describe_topics(
        self,
        names: &[String],
        timeout: Duration,
    ) -> Result<BTreeMap<String, Description>, Refused> {
        let names: Vec<CString> = names.iter().map(|name| c_text(name)).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let event =
            self.ask(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout, |options, queue| {
                // SAFETY: the names outlive the collection, which is destroyed after the call has copied it.
                unsafe {
                    let topics = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
                    sys::rd_kafka_DescribeTopics(self.0, topics, options, queue);
                    sys::rd_kafka_TopicCollection_destroy(topics);
                }
            })?;
        let mut described = BTreeMap::new();
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
            let mut count = 0;
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            for index in 0..count {
                let topic = *topics.add(index);
                let name = text(sys::rd_kafka_TopicDescription_name(topic));
                let error = sys::rd_kafka_TopicDescription_error(topic);
                let code = sys::rd_kafka_error_code(error);
                let description = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    let id = text(sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(topic)));
                    let mut partitions = 0;
                    let infos = sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
                    let numbers =
                        (0..partitions).map(|at| sys::rd_kafka_TopicPartitionInfo_partition(*infos.add(at))).collect();
                    Ok((id, numbers))
                } else {
                    Err(Refused { code, message: text(sys::rd_kafka_error_string(error)) })
                };
                described.insert(name, description);
            }
        }
        Ok(described)
    }

    /// An offset of each partition; that of a time is −1 when no record is as young.
    pub fn list_offsets(
        self,
        partitions: &[(String, i32)],
        at: OffsetOf,
        timeout: Duration,
    ) -> Result<PartitionOffsets, Refused> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names: Vec<CString> = partitions.iter().map(|(name, _)| c_text(name)).collect::<Result<_, _>>()?;
        let event = self.ask(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout, |options, queue| {
            let spec = match at {
                OffsetOf::Earliest => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64,
                OffsetOf::Latest => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST as i64,
                OffsetOf::Time(milliseconds) => milliseconds,
            };
            // SAFETY: the list is made and destroyed here; librdkafka copies names and list.
            unsafe {
                let list = sys::rd_kafka_topic_partition_list_new(c_int::try_from(partitions.len()).unwrap_or(0));
                for (name, (_, partition)) in names.iter().zip(partitions) {
                    let entry = sys::rd_kafka_topic_partition_list_add(list, name.as_ptr(), *partition);
                    (*entry).offset = spec;
                }
                let error = sys::rd_kafka_AdminOptions_set_isolation_level(
                    options,
                    sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
                );
                if !error.is_null() {
                    sys::rd_kafka_error_destroy(error);
                }
                sys::rd_kafka_ListOffsets(self.0, list, options, queue);
                sys::rd_kafka_topic_partition_list_destroy(list);
            }
        })?;
        let mut offsets = BTreeMap::new();
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(event.0);
            let mut count = 0;
            let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for index in 0..count {
                let entry = &*sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(index));
                let answer = if entry.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    Ok(entry.offset)
                } else {
                    Err(Refused { code: entry.err, message: text(sys::rd_kafka_err2str(entry.err)) })
                };
                offsets.insert((text(entry.topic), entry.partition), answer);
            }
        }
        Ok(offsets)
    }

    /// Sets single settings of a topic; the others stay as they are.
    pub fn set_config(self, topic: &str, config: &BTreeMap<String, String>, timeout: Duration) -> Result<(), Refused> {
        let name = c_text(topic)?;
        let pairs: Vec<(CString, CString)> =
            config.iter().map(|(key, value)| Ok((c_text(key)?, c_text(value)?))).collect::<Result<_, Refused>>()?;
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
        let event = self.ask(operation, timeout, |options, queue| {
            // SAFETY: the resource is made and destroyed here; librdkafka copies names and values.
            unsafe {
                let mut resource = sys::rd_kafka_ConfigResource_new(
                    sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
                    name.as_ptr(),
                );
                for (key, value) in &pairs {
                    let error = sys::rd_kafka_ConfigResource_add_incremental_config(
                        resource,
                        key.as_ptr(),
                        sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                        value.as_ptr(),
                    );
                    if !error.is_null() {
                        sys::rd_kafka_error_destroy(error);
                    }
                }
                sys::rd_kafka_IncrementalAlterConfigs(self.0, &mut resource, 1, options, queue);
                sys::rd_kafka_ConfigResource_destroy(resource);
            }
        })?;
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.0);
            let mut count = 0;
            let resources = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &mut count);
            for index in 0..count {
                let resource = *resources.add(index);
                let code = sys::rd_kafka_ConfigResource_error(resource);
                if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return Err(Refused { code, message: text(sys::rd_kafka_ConfigResource_error_string(resource)) });
                }
            }
        }
        Ok(())
    }

    /// Empties the queue of errors and logs, which would grow otherwise; the errors, newest last.
    pub fn drain(self) -> Vec<Refused> {
        let mut errors = Vec::new();
        // SAFETY: the client is alive (`new`); the queue is a counted reference that is given back.
        let queue = Queue(unsafe { sys::rd_kafka_queue_get_main(self.0) });
        // Bounded: a client in distress may write faster than this reads.
        for _ in 0..10_000 {
            // SAFETY: the queue is alive.
            let event = unsafe { sys::rd_kafka_queue_poll(queue.0, 0) };
            if event.is_null() {
                break;
            }
            let event = Event(event);
            // SAFETY: the event is alive.
            unsafe {
                if sys::rd_kafka_event_type(event.0) == sys::RD_KAFKA_EVENT_ERROR {
                    errors.push(Refused {
                        code: sys::rd_kafka_event_error(event.0),
                        message: text(sys::rd_kafka_event_error_string(event.0)),
                    });
                }
            }
        }
        errors
    }
}

// SAFETY: librdkafka's handle may be used by any thread.
unsafe impl Send for Client {}
