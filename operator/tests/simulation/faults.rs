//! What goes wrong, drawn from a seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Faults {
    seed: u64,
    random: ChaCha8Rng,
    /// Percent of calls that something happens to; 0 in a world that is well.
    pub rate: u32,
}

/// Everything that goes wrong in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    LostCall,
    LostAnswer,
    CallArrivesTwice,
    CallTakesLong,
    OperatorEnds,
    OtherOperator,
    KafkaNotSeen,
    TopicNotSeen,
    PostgresNotSeen,
    ClusterNotSeen,
    KafkaIsOld,
    ClusterIsOld,
    KafkaAway,
    PostgresAway,
    ClusterAway,
    WorkersKilled,
    ZombieWorker,
    WorkersDeleted,
    TopicGrown,
    TopicRecreated,
    RecordsRemoved,
    DatabaseEmptied,
    SpecChanged,
    ResourceDeleted,
    /// Somebody else joins the group of an app.
    ForeignMember,
    /// Somebody commits without being a member.
    ForeignCommit,
    LedgerDeleted,
    TemplateRefused,
}

impl Fault {
    pub const OF_VIEWS: [Fault; 24] = [
        Fault::LostCall,
        Fault::LostAnswer,
        Fault::CallArrivesTwice,
        Fault::CallTakesLong,
        Fault::OperatorEnds,
        Fault::OtherOperator,
        Fault::KafkaNotSeen,
        Fault::TopicNotSeen,
        Fault::PostgresNotSeen,
        Fault::ClusterNotSeen,
        Fault::KafkaIsOld,
        Fault::ClusterIsOld,
        Fault::KafkaAway,
        Fault::PostgresAway,
        Fault::ClusterAway,
        Fault::WorkersKilled,
        Fault::ZombieWorker,
        Fault::WorkersDeleted,
        Fault::TopicGrown,
        Fault::TopicRecreated,
        Fault::RecordsRemoved,
        Fault::DatabaseEmptied,
        Fault::SpecChanged,
        Fault::ResourceDeleted,
    ];

    pub const OF_APPS: [Fault; 21] = [
        Fault::LostCall,
        Fault::LostAnswer,
        Fault::CallArrivesTwice,
        Fault::CallTakesLong,
        Fault::OperatorEnds,
        Fault::OtherOperator,
        Fault::KafkaNotSeen,
        Fault::TopicNotSeen,
        Fault::ClusterNotSeen,
        Fault::KafkaIsOld,
        Fault::KafkaAway,
        Fault::ClusterAway,
        Fault::WorkersKilled,
        Fault::WorkersDeleted,
        Fault::TopicGrown,
        Fault::RecordsRemoved,
        Fault::SpecChanged,
        Fault::ForeignMember,
        Fault::ForeignCommit,
        Fault::LedgerDeleted,
        Fault::TemplateRefused,
    ];
}

/// What becomes of a call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done, and answered.
    Done,
    /// It never arrives; it is done and the answer never arrives; it is done twice, or late; the operator ends before it.
    Struck(Fault),
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults { seed, random: ChaCha8Rng::seed_from_u64(seed), rate: 12 }
    }

    /// Each step draws by itself, so that a history without some of its steps is still much the same one.
    pub fn begin(&mut self, step: usize) {
        self.random = ChaCha8Rng::seed_from_u64(self.seed);
        self.random.set_stream(step as u64 + 1);
    }

    pub fn fate(&mut self) -> Fate {
        if !self.strikes() {
            return Fate::Done;
        }
        let fates =
            [Fault::LostCall, Fault::LostAnswer, Fault::CallArrivesTwice, Fault::CallTakesLong, Fault::OperatorEnds];
        Fate::Struck(fates[self.below(fates.len())])
    }

    /// Whether a fault happens now.
    pub fn strikes(&mut self) -> bool {
        self.random.random_range(0..100) < self.rate
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    pub fn offset(&mut self, end: i64) -> i64 {
        self.random.random_range(0..=end)
    }

    pub fn word(&mut self) -> u32 {
        self.random.next_u32()
    }
}
