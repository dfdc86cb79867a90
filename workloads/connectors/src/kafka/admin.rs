//! The one request that rdkafka's safe interface has no call for: the topic's id.
//!
//! A group's offsets are not set this way (`AlterConsumerGroupOffsets`): in librdkafka 2.12 a coordinator that goes away
//! while such a request is under way ends the process by an assertion.

use rdkafka_sys as sys;
use std::{
    ffi::{CStr, CString, c_char},
    ptr::NonNull,
    time::Duration,
};

/// What a broker says about a topic.
pub(super) struct Description {
    pub topic_id: String,
    pub partitions: usize,
}

/// A queue of answers to requests made through one client.
pub(super) struct Answers {
    client: *mut sys::rd_kafka_t,
    queue: NonNull<sys::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's handles may be used from any thread; `Answers` is used by one at a time.
unsafe impl Send for Answers {}

/// An answer, destroyed when dropped.
struct Answer(NonNull<sys::rd_kafka_event_t>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the event came from `rd_kafka_queue_poll` and is destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl Answers {
    /// `client` outlives the queue.
    pub fn new(client: *mut sys::rd_kafka_t) -> Answers {
        // SAFETY: the client is alive.
        let queue = unsafe { sys::rd_kafka_queue_new(client) };
        Answers { client, queue: NonNull::new(queue).expect("librdkafka gives a queue to every live client") }
    }

    fn poll(&self, timeout: Duration) -> Option<Answer> {
        // SAFETY: the queue is alive.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), timeout.as_millis() as i32) }).map(Answer)
    }

    /// Asks a broker about `topic`; `None`: there is no such topic. The queue is used for nothing else.
    pub fn describe(&self, topic: &str, timeout: Duration) -> Result<Option<Description>, String> {
        // An answer that came too late for the one who asked is none to this question.
        while self.poll(Duration::ZERO).is_some() {}
        let name = CString::new(topic).map_err(|_| format!("topic {topic:?} has a NUL in its name"))?;
        let mut names: [*const c_char; 1] = [name.as_ptr()];
        let options = self.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout)?;
        // A queue of its own: the shared one may hold the answer about positions that were sent before.
        let own = Answers::new(self.client);
        // SAFETY: the arguments live through the call, which copies them.
        unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            sys::rd_kafka_DescribeTopics(self.client, topics, options, own.queue.as_ptr());
            sys::rd_kafka_TopicCollection_destroy(topics);
            sys::rd_kafka_AdminOptions_destroy(options);
        }
        let answer = own.poll(timeout + Duration::from_millis(500)).ok_or("no broker answered in time")?;
        // SAFETY: the event lives until `answer` is dropped; the pointers below are parts of it.
        unsafe {
            let error = sys::rd_kafka_event_error(answer.0.as_ptr());
            if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(text(sys::rd_kafka_event_error_string(answer.0.as_ptr())));
            }
            let result = sys::rd_kafka_event_DescribeTopics_result(answer.0.as_ptr());
            if result.is_null() {
                return Err("the answer is one to an earlier question".into());
            }
            let mut count = 0;
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            if count == 0 {
                return Err("the broker's answer names no topic".into());
            }
            let topic = *topics;
            let error = sys::rd_kafka_TopicDescription_error(topic);
            match sys::rd_kafka_error_code(error) {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => return Ok(None),
                _ => return Err(text(sys::rd_kafka_error_string(error))),
            }
            let mut partitions = 0;
            sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
            let id = sys::rd_kafka_TopicDescription_topic_id(topic);
            Ok(Some(Description { topic_id: text(sys::rd_kafka_Uuid_base64str(id)), partitions }))
        }
    }

    fn options(
        &self,
        operation: sys::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> Result<*mut sys::rd_kafka_AdminOptions_t, String> {
        let mut reason = [0 as c_char; 256];
        // SAFETY: the client is alive; `reason` is as long as is said.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(self.client, operation);
            let code = sys::rd_kafka_AdminOptions_set_request_timeout(
                options,
                timeout.as_millis() as i32,
                reason.as_mut_ptr(),
                reason.len(),
            );
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                sys::rd_kafka_AdminOptions_destroy(options);
                return Err(text(reason.as_ptr()));
            }
            Ok(options)
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // SAFETY: the queue is destroyed once, before its client.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// The text of a C string.
///
/// # Safety
/// `pointer` is null or a NUL-terminated string that lives through the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return "unknown".into();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
