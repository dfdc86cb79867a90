//! What goes wrong, drawn from a seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Faults {
    random: ChaCha8Rng,
    /// Percent of calls that something happens to; 0 in a world that is well.
    pub rate: u32,
}

/// What becomes of a call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done, and answered.
    Done,
    /// It never arrived.
    LostCall,
    /// It was done, and the answer never arrived.
    LostAnswer,
    /// The operator ends before it.
    Crash,
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults { random: ChaCha8Rng::seed_from_u64(seed), rate: 12 }
    }

    pub fn fate(&mut self) -> Fate {
        if !self.strikes() {
            return Fate::Done;
        }
        [Fate::LostCall, Fate::LostAnswer, Fate::Crash][self.below(3)]
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
