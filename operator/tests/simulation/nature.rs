//! What happens by itself between two rounds: time passes, records come and go, things fail and come back.

use crate::{
    faults::Fault,
    specs::TOPIC,
    world::{State, Zombie},
};
use millrace_operator::view::desired::Desired;
use std::time::Duration;

impl State {
    pub fn nature(&mut self, desired: &Desired) {
        let hours = self.faults.chance(1);
        let milliseconds = if hours { 3 * 3600 * 1000 } else { self.faults.offset(3_000) };
        self.now = self.now + Duration::from_millis(milliseconds.unsigned_abs());
        if hours {
            self.story.tell(|| "  three hours pass".into());
        }
        if self.faults.chance(40) {
            let most = if self.faults.chance(10) { 20_000 } else { 50 };
            self.kafka.produce(&mut self.faults, most);
        }
        self.kafka.remember(self.faults.chance(40));
        self.cluster.settle(&mut self.faults);
        if self.faults.chance(30) {
            self.open_reader();
        }
        if self.faults.chance(35) && !self.postgres.readers.is_empty() {
            let which = self.faults.below(self.postgres.readers.len());
            self.postgres.readers.remove(which);
        }
        self.go_away();
        if self.faults.chance(4) {
            self.cluster.vandalise(&mut self.faults);
            self.story.struck(Fault::WorkersDeleted);
        }
        if self.faults.chance(6) {
            self.cluster.kill();
            self.story.struck(Fault::WorkersKilled);
        }
        if self.faults.chance(3) {
            self.kafka.grow(TOPIC);
            self.story.struck(Fault::TopicGrown);
        }
        if self.faults.chance(1) {
            self.kafka.recreate(TOPIC);
            self.story.struck(Fault::TopicRecreated);
        }
        if self.faults.chance(2) {
            self.retain();
            self.story.struck(Fault::RecordsRemoved);
        }
        if self.faults.below(400) == 0 {
            // Emptying ends every session.
            self.postgres.empty();
            self.promises.forget();
            self.zombies.clear();
            self.story.struck(Fault::DatabaseEmptied);
        }
        if self.faults.chance(5) {
            self.postgres.says_no = self.faults.chance(40);
        }
        self.zombies_wake();
        // After hours the operator is back before the workers are.
        if !hours {
            self.work(desired);
        }
        if self.faults.chance(5) {
            self.a_worker_stops();
        }
    }

    /// Kafka, Postgres and the API server go away for any time, one at a time or together.
    fn go_away(&mut self) {
        let State { faults, away, .. } = self;
        for gone in [&mut away.kafka, &mut away.postgres, &mut away.cluster] {
            *gone = faults.chance(if *gone { 90 } else { 2 });
        }
        let faults = [
            (self.away.kafka, Fault::KafkaAway),
            (self.away.postgres, Fault::PostgresAway),
            (self.away.cluster, Fault::ClusterAway),
        ];
        faults.into_iter().filter(|(gone, _)| *gone).for_each(|(_, fault)| self.story.struck(fault));
    }

    /// A worker is stopped with an epoch in its hands.
    fn a_worker_stops(&mut self) {
        let Some(view) = &self.postgres.view else { return };
        let mut worked_on = view.revisions.iter().filter(|(_, row)| row.state.is_worked_on());
        let Some((revision, row)) = worked_on.next_back() else { return };
        let Some(task) = row.progress.first() else { return };
        self.zombies.push(Zombie {
            revision: revision.clone(),
            topic: task.topic.clone(),
            partition: task.partition,
            from: task.next_offset,
            to: task.next_offset + 1 + self.faults.offset(20),
            fence: view.uid.clone().map(|uid| (uid, self.postgres.fences)),
        });
    }

    /// Stopped workers go on and try to commit, much later: only what the fence lets through is done.
    fn zombies_wake(&mut self) {
        if self.zombies.is_empty() || !self.faults.chance(20) {
            return;
        }
        let zombie = self.zombies.remove(0);
        self.story.struck(Fault::ZombieWorker);
        let fences = self.postgres.fences;
        let Some(view) = self.postgres.view.as_mut() else { return };
        let Some(row) = view.revisions.get_mut(&zombie.revision).filter(|row| row.state.is_worked_on()) else {
            return;
        };
        let same = zombie.fence == view.uid.clone().map(|uid| (uid, fences));
        let task =
            row.progress.iter_mut().find(|task| task.topic == zombie.topic && task.partition == zombie.partition);
        if let Some(task) = task.filter(|task| same && task.next_offset == zombie.from) {
            // Nobody else has read on, and the records were there when it read them.
            let end = self.kafka.topics.get(&task.topic).filter(|topic| topic.id == task.topic_id);
            let end = end.and_then(|topic| topic.partitions.get(&task.partition)).map_or(0, |offsets| offsets.end);
            let to = task.next_offset.max(zombie.to.min(end));
            if task.hold.is_none_or(|hold| hold.until <= self.now || hold.offset >= to) {
                task.next_offset = to;
            }
        }
        self.promises.see(&self.postgres);
    }
}
