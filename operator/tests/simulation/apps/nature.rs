//! What happens by itself between two rounds: time passes, records come and go, strangers come and go, things fail.

use super::{INPUT, group::SimulatedMember, world::State};
use crate::faults::Fault;
use std::time::Duration;

impl State {
    pub fn nature(&mut self) {
        let milliseconds = if self.faults.chance(4) { 60_000 } else { self.faults.offset(3_000) };
        self.now = self.now + Duration::from_millis(milliseconds.unsigned_abs());
        if self.faults.chance(40) {
            let most = if self.faults.chance(10) { 20_000 } else { 50 };
            self.kafka.produce(&mut self.faults, most);
        }
        self.kafka.remember(self.faults.chance(40));
        self.settle();
        self.go_away();
        self.strangers();
        if self.faults.chance(3) {
            self.cluster.deployment = None;
            self.cluster.pods.values_mut().for_each(|pod| pod.ending = true);
            self.story.struck(Fault::WorkersDeleted);
        }
        if self.faults.chance(5) {
            let killed: Vec<String> = self.cluster.pods.keys().cloned().collect();
            self.cluster.pods.clear();
            killed.iter().for_each(|name| self.pod_ended(name, false));
            self.story.struck(Fault::WorkersKilled);
        }
        if self.faults.chance(3) {
            self.kafka.grow(INPUT);
            self.story.struck(Fault::TopicGrown);
        }
        if self.faults.chance(3) {
            let partition = self.faults.below(2) as i32;
            let there = self.kafka.topics.get(INPUT).and_then(|topic| topic.partitions.get(&partition)).copied();
            if let Some(offsets) = there {
                let earliest = offsets.earliest + self.faults.offset((offsets.end - offsets.earliest).max(0));
                self.kafka.retain(INPUT, partition, earliest);
            }
            self.story.struck(Fault::RecordsRemoved);
        }
        if self.faults.chance(2) {
            self.cluster.ledger = None;
            self.story.struck(Fault::LedgerDeleted);
        }
        if self.faults.chance(5) {
            self.cluster.refused = self.faults.chance(30);
            if self.cluster.refused {
                self.story.struck(Fault::TemplateRefused);
            }
        }
        self.work();
    }

    /// Kafka and the API server go away for any time, one at a time or together.
    fn go_away(&mut self) {
        let State { faults, away, .. } = self;
        for gone in [&mut away.kafka, &mut away.cluster] {
            *gone = faults.chance(if *gone { 85 } else { 2 });
        }
        let faults = [(self.away.kafka, Fault::KafkaAway), (self.away.cluster, Fault::ClusterAway)];
        faults.into_iter().filter(|(gone, _)| *gone).for_each(|(_, fault)| self.story.struck(fault));
    }

    pub fn a_stranger_joins(&mut self) {
        let client_id = format!("kcat-{}", self.faults.below(100));
        self.group.members.push(SimulatedMember { client_id, pod: None, until: None });
        self.story.struck(Fault::ForeignMember);
    }

    /// Somebody else joins, leaves, or commits without being a member.
    fn strangers(&mut self) {
        if self.faults.chance(4) {
            self.a_stranger_joins();
        }
        if self.faults.chance(30) {
            self.group.strangers_go();
        }
        if self.faults.chance(4) {
            self.group.open_until = Some(self.now + Duration::from_secs(10));
        }
        // Kafka takes it while nobody is in the group, from anybody.
        if self.faults.chance(5) && self.group.members.is_empty() {
            let offset = self.faults.offset(100);
            self.group.commit(INPUT, 0, offset);
            self.group.foreign_commit = Some(self.now);
            self.story.struck(Fault::ForeignCommit);
        }
    }
}
