//! Are the topics that are read still those that their positions belong to?

use super::{
    Assignment, TIMEOUT, Turning,
    assignment::{self, Checked},
};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

impl Turning {
    /// Whether every topic that is read was found to be the right one no longer ago than this.
    pub(super) fn trusts(&self, at_most: Duration) -> bool {
        let topics = self.reader.source.topics();
        self.reading.keys().all(|&task| self.trusted[topics.index(task)].is_some_and(|at| at.elapsed() <= at_most))
    }

    /// Asks whether the topics that are read are still the right ones. False: one is not, or nobody says.
    pub(super) fn trust(&mut self) -> bool {
        let topics = self.reader.source.topics().clone();
        for index in 0..topics.names().len() {
            let asked = Instant::now();
            let of_topic = |assignment: &Assignment| topics.index(assignment.partition) == index;
            let read = self.reading.values().map(|reading| &reading.assignment);
            let Some(one) = read.clone().find(|assignment| of_topic(assignment)).cloned() else { continue };
            match assignment::identify(&self.reader.source, &one, TIMEOUT) {
                Checked::Right { partitions } => {
                    self.reader.preparer.note_partitions(one.partition, partitions);
                    self.reader.health.kafka.store(true, Ordering::Relaxed);
                    self.trusted[index] = Some(asked);
                }
                Checked::Wrong(problem) => {
                    let wrong: Vec<Assignment> = read.filter(|assignment| of_topic(assignment)).cloned().collect();
                    wrong.iter().for_each(|assignment| self.report(assignment, problem.clone()));
                    self.stop(&wrong.iter().map(|assignment| assignment.partition).collect::<Vec<i32>>());
                    return false;
                }
                Checked::NotYet => {
                    // No such topic: assigned again, so that it is asked for some more times.
                    let assignments = self.reading.values().filter(|reading| of_topic(&reading.assignment));
                    let assignments = assignments.map(|reading| reading.restart()).collect();
                    self.wait_for(assignments);
                    return false;
                }
                Checked::Unreachable(error) => {
                    tracing::info!(error, "kafka does not say which topic this is");
                    self.reader.health.kafka.store(false, Ordering::Relaxed);
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Assignment, TRUSTED_FOR, stand_in::StandIn};
    use millrace_test_support::post_view::{self, POSTS_OF_AUTHORS};

    const OF_USERS: i32 = 1;

    fn assignment(partition: i32) -> Assignment {
        Assignment { partition, owner: 1, position: 0, topic_id: "id".into(), cluster_id: "cluster".into() }
    }

    /// Whether records of the users are sent on at once, when some time later another task was begun with.
    fn sends_after(task: i32) -> bool {
        let plan = post_view::plan(POSTS_OF_AUTHORS, "post-events", "user-events");
        let StandIn { mut turning, mut prepared, commands: _commands, .. } = StandIn::new(plan);
        turning.start(assignment(OF_USERS));
        std::thread::sleep(TRUSTED_FOR * 2);
        turning.start(assignment(task));
        turning.reading.get_mut(&OF_USERS).expect("users are read").to = 1;
        turning.dispatch().expect("the loop is there");
        prepared.try_recv().is_ok()
    }

    #[test]
    fn no_topic_is_trusted_because_another_one_was_looked_at() {
        let (of_posts, more_of_users) = (0, 3);
        assert!(sends_after(more_of_users), "their topic was looked at just now");
        assert!(!sends_after(of_posts), "nobody has said lately which topic the users are");
    }
}
