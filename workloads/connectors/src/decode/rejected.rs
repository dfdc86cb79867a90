//! A record that was not applied, and why.

use std::fmt;

/// The one word of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are not what the source says.
    Decode,
    /// The key columns in the value are not those of the record key.
    KeyMismatch,
    /// No value where one is needed.
    Tombstone,
    /// An expression failed on this row.
    Compute,
    /// Postgres did not take the row.
    Refused,
}

impl Reason {
    pub const ALL: [Reason; 5] =
        [Reason::Decode, Reason::KeyMismatch, Reason::Tombstone, Reason::Compute, Reason::Refused];

    pub const fn name(self) -> &'static str {
        match self {
            Reason::Decode => "Decode",
            Reason::KeyMismatch => "KeyMismatch",
            Reason::Tombstone => "Tombstone",
            Reason::Compute => "Compute",
            Reason::Refused => "Refused",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One rejected record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its index among the raw records.
    pub record: u32,
    pub reason: Reason,
    /// A sentence: the column, what was found, what was expected.
    pub detail: String,
}

/// `text` cut to what a sentence can hold, with NUL made visible: Postgres stores no NUL.
pub fn shorten(text: &str) -> String {
    const LIMIT: usize = 120;
    let mut short: String = text.chars().take(LIMIT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace('\0', "\\u0000")
}
