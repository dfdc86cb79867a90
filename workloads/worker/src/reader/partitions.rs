//! Which client reads, and which partitions it is assigned: those that are read, and none of them while nothing may be.

use super::{
    Assignment, Event, Turning,
    reading::{Reading, Waiting},
};
use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

const GROUP_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Turning {
    /// Reads as fast as the loop says. A client fetches what it is assigned, whether it is taken or not, and then holds
    /// it: while nothing may be read it is assigned nothing, and lives on.
    pub(super) fn keep_pace(&mut self) {
        let limit = *self.reader.shared.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let stood_still = self.pace.stands_still();
        self.pace.set(limit, Instant::now());
        match (stood_still, self.pace.stands_still()) {
            (false, true) => {
                let read: Vec<i32> = self.reading.keys().copied().collect();
                self.unassign(&read);
            }
            (true, false) => self.assign_all(),
            (false, false) | (true, true) => {}
        }
    }

    pub(super) fn start(&mut self, assignment: Assignment) {
        let Assignment { partition, owner, position, .. } = assignment;
        if !self.pace.stands_still()
            && let Err(error) = self.reader.source.assign(&[(partition, position)])
        {
            tracing::warn!(%error, partition, "partition not assigned at the client");
            self.waiting.push(Waiting::new(assignment));
            return;
        }
        let topic = self.reader.source.topics().index(partition);
        self.trusted[topic] = Some(Instant::now());
        self.reading.insert(partition, Reading { assignment, from: position, to: position });
        self.send(Event::Reading { partition, owner });
    }

    /// Reads these partitions no more, and forgets what was read of them.
    pub(super) fn stop(&mut self, partitions: &[i32]) {
        self.waiting.retain(|waiting| !partitions.contains(&waiting.assignment.partition));
        let read: Vec<i32> =
            partitions.iter().copied().filter(|partition| self.reading.remove(partition).is_some()).collect();
        if read.is_empty() {
            return;
        }
        if !self.pace.stands_still() {
            self.unassign(&read);
        }
        if !self.pending.is_empty() {
            self.pending = self.pending.select(|record| !read.contains(&record.partition));
        }
    }

    /// Stops, and starts again once the brokers say that it may.
    pub(super) fn wait_for(&mut self, assignments: Vec<Assignment>) {
        let partitions: Vec<i32> = assignments.iter().map(|assignment| assignment.partition).collect();
        self.stop(&partitions);
        self.waiting.extend(assignments.into_iter().map(Waiting::new));
    }

    /// A revision that went live shows its positions in another group, and a client has one group for its life. Where
    /// none could be made, it is tried again.
    pub(super) fn keep_group(&mut self) {
        if self.group == self.reader.group || Instant::now() < self.next_group {
            return;
        }
        match (self.reader.connect)(&self.group) {
            Ok(source) => {
                let former = std::mem::replace(&mut self.reader.source, source);
                // It says goodbye to brokers that may be away.
                std::thread::spawn(move || drop(former));
                self.reader.group = self.group.clone();
                if !self.pace.stands_still() {
                    self.assign_all();
                }
            }
            Err(error) => {
                tracing::warn!(%error, group = self.group, "no client for the consumer group");
                self.next_group = Instant::now() + GROUP_AGAIN_AFTER;
            }
        }
    }

    /// Lets the client read every partition from where it stands.
    fn assign_all(&mut self) {
        let positions: Vec<(i32, i64)> =
            self.reading.iter().map(|(&partition, reading)| (partition, reading.to)).collect();
        if !positions.is_empty()
            && let Err(error) = self.reader.source.assign(&positions)
        {
            tracing::warn!(%error, "partitions not assigned at the client");
            let assignments = self.reading.values().map(Reading::restart).collect();
            self.wait_for(assignments);
        }
    }

    fn unassign(&mut self, partitions: &[i32]) {
        if !partitions.is_empty()
            && let Err(error) = self.reader.source.unassign(partitions)
        {
            tracing::warn!(%error, ?partitions, "partitions not given up at the client");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Command, stand_in::StandIn},
        GROUP_AGAIN_AFTER,
    };
    use millrace_test_support::plans;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_group_that_no_client_could_be_made_for_is_tried_again() {
        let StandIn { mut turning, commands, refuses, prepared: _prepared } = StandIn::new(plans::append("users"));
        refuses.store(true, Ordering::Relaxed);
        commands.send(Command::Group("live".into())).expect("it listens");
        turning.turn().expect("the loop is there");
        assert_eq!(turning.reader.group, "building");
        refuses.store(false, Ordering::Relaxed);
        std::thread::sleep(GROUP_AGAIN_AFTER);
        turning.turn().expect("the loop is there");
        assert_eq!(turning.reader.group, "live");
    }
}
