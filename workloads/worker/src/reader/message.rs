//! What the loop tells the reader, and what the reader tells the loop.

use millrace_connectors::postgres::Problem;

/// A partition to be read, and what it must still be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The task's number: with one topic, its partition's.
    pub partition: i32,
    pub owner: i64,
    pub position: i64,
    pub topic_id: String,
    pub cluster_id: String,
}

#[derive(Debug)]
pub enum Command {
    Read(Vec<Assignment>),
    Stop(Vec<i32>),
    StopAll,
    /// The name of the consumer group that positions are shown in.
    Group(String),
    /// Positions to be shown.
    Mirror(Vec<(i32, i64)>),
}

#[derive(Debug)]
pub enum Event {
    /// The topic is the right one, and its records come from now on.
    Reading { partition: i32, owner: i64 },
    /// The partition is not read.
    Problem { partition: i32, owner: i64, problem: Problem },
}
