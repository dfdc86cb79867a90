//! How far the reader is in a partition.

use super::Assignment;

/// A partition that is read.
pub struct Reading {
    pub assignment: Assignment,
    /// Where the epoch under construction begins.
    pub from: i64,
    /// Up to where it goes.
    pub to: i64,
}

/// A partition that is to be read once the brokers say that it may.
pub struct Waiting {
    pub assignment: Assignment,
    pub tries: u32,
    /// Whether its log was found truncated before its position.
    pub truncated: bool,
}

impl Waiting {
    pub fn new(assignment: Assignment) -> Waiting {
        Waiting { assignment, tries: 0, truncated: false }
    }
}

impl Reading {
    /// What must be read again after everything read but not yet sent on was forgotten.
    pub fn restart(&self) -> Assignment {
        Assignment { position: self.from, ..self.assignment.clone() }
    }
}
