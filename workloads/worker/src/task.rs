//! A task that this worker holds: one partition, where it stands, and why it does if it stands still.

use std::time::Instant;

#[derive(Debug, Clone)]
pub struct Task {
    pub owner: i64,
    /// The position last committed.
    pub next_offset: i64,
    pub shared: bool,
    /// What the topic and the cluster must be for the position to mean anything.
    pub topic_id: String,
    pub cluster_id: String,
    /// What the catalog says is wrong with it.
    pub problem: Option<String>,
    /// When its lease was last renewed, by an epoch or without.
    pub renewed: Instant,
    /// When the reader was last asked to read it.
    pub asked: Option<Instant>,
    /// The position that Kafka's group was told last.
    pub mirrored: Option<i64>,
    /// The offset that no epoch passes for now.
    pub hold: Option<i64>,
    /// The reader was stopped because the task stood at its hold.
    pub rests: bool,
}

impl Task {
    /// Whether it stands at its hold.
    pub fn stands(&self) -> bool {
        self.hold.is_some_and(|hold| self.next_offset >= hold)
    }
}
