//! Admin calls about a consumer group, each asked of the broker that is named.
//!
//! Asked without a name, librdkafka 2.12 looks for the group's coordinator by itself, and a connection that ends while it
//! does so ends the process by an assertion. A broker that is named and is not the coordinator says so, and another one is
//! asked.

use super::native::{Client, Event, Refused, c_text, text};
use rdkafka::{bindings as sys, types::RDKafkaRespErr};
use std::{os::raw::c_char, time::Duration};

/// What its coordinator says of a group.
#[derive(Debug, Clone)]
pub struct Description {
    pub state: String,
    pub members: Vec<MemberDescription>,
}

#[derive(Debug, Clone)]
pub struct MemberDescription {
    pub client_id: String,
    pub host: String,
    pub partitions: usize,
}

fn name_broker(options: *mut sys::rd_kafka_AdminOptions_t, broker: i32) {
    let mut said = [0 as c_char; 128];
    // SAFETY: the options are alive; `said` is as long as is said. A number of a broker is never refused.
    unsafe { sys::rd_kafka_AdminOptions_set_broker(options, broker, said.as_mut_ptr(), said.len()) };
}

impl Client {
    /// The numbers of the brokers.
    pub fn brokers(self, timeout: Duration) -> Result<Vec<i32>, Refused> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
        // SAFETY: options and queue are alive for the call.
        let event = self.ask(operation, timeout, |options, queue| unsafe {
            sys::rd_kafka_DescribeCluster(self.0, options, queue);
        })?;
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeCluster_result(event.0);
            let mut count = 0;
            let nodes = sys::rd_kafka_DescribeCluster_result_nodes(result, &mut count);
            Ok((0..count).map(|at| sys::rd_kafka_Node_id(*nodes.add(at))).collect())
        }
    }

    /// State and members of the group, asked of `broker`.
    pub fn describe_group(self, group: &str, broker: i32, timeout: Duration) -> Result<Description, Refused> {
        let group = c_text(group)?;
        let mut names = [group.as_ptr()];
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let event = self.ask(operation, timeout, |options, queue| {
            name_broker(options, broker);
            // SAFETY: the name outlives the call, which copies it.
            unsafe { sys::rd_kafka_DescribeConsumerGroups(self.0, names.as_mut_ptr(), 1, options, queue) };
        })?;
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.0);
            let mut count = 0;
            let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            if count == 0 {
                return Err(nothing());
            }
            let group = *groups;
            refusal(sys::rd_kafka_ConsumerGroupDescription_error(group))?;
            let state = sys::rd_kafka_ConsumerGroupDescription_state(group);
            let members = 0..sys::rd_kafka_ConsumerGroupDescription_member_count(group);
            Ok(Description {
                state: text(sys::rd_kafka_consumer_group_state_name(state)),
                members: members.map(|at| member(sys::rd_kafka_ConsumerGroupDescription_member(group, at))).collect(),
            })
        }
    }

    /// Forgets the group and its offsets, asked of `broker`.
    pub fn delete_group(self, group: &str, broker: i32, timeout: Duration) -> Result<(), Refused> {
        let group = c_text(group)?;
        let event: Event =
            self.ask(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS, timeout, |options, queue| {
                name_broker(options, broker);
                // SAFETY: what is deleted is made and destroyed here; librdkafka copies it.
                unsafe {
                    let mut deleted = sys::rd_kafka_DeleteGroup_new(group.as_ptr());
                    sys::rd_kafka_DeleteGroups(self.0, &mut deleted, 1, options, queue);
                    sys::rd_kafka_DeleteGroup_destroy(deleted);
                }
            })?;
        // SAFETY: the event is of this call, and everything read below belongs to it and lives as long as it.
        unsafe {
            let result = sys::rd_kafka_event_DeleteGroups_result(event.0);
            let mut count = 0;
            let groups = sys::rd_kafka_DeleteGroups_result_groups(result, &mut count);
            if count == 0 { Err(nothing()) } else { refusal(sys::rd_kafka_group_result_error(*groups)) }
        }
    }
}

fn nothing() -> Refused {
    Refused { code: RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTIAL, message: "no answer about the group".to_owned() }
}

/// # Safety
/// `error` is null or alive.
unsafe fn refusal(error: *const sys::rd_kafka_error_t) -> Result<(), Refused> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: promised by the caller.
    let (code, message) = unsafe { (sys::rd_kafka_error_code(error), text(sys::rd_kafka_error_string(error))) };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(Refused { code, message }) }
}

/// # Safety
/// `member` is alive.
unsafe fn member(member: *const sys::rd_kafka_MemberDescription_t) -> MemberDescription {
    // SAFETY: promised by the caller; what is read belongs to the member.
    unsafe {
        let assignment = sys::rd_kafka_MemberDescription_assignment(member);
        let partitions =
            if assignment.is_null() { std::ptr::null() } else { sys::rd_kafka_MemberAssignment_partitions(assignment) };
        MemberDescription {
            client_id: text(sys::rd_kafka_MemberDescription_client_id(member)),
            host: text(sys::rd_kafka_MemberDescription_host(member)).trim_start_matches('/').to_owned(),
            partitions: if partitions.is_null() { 0 } else { usize::try_from((*partitions).cnt).unwrap_or(0) },
        }
    }
}
