//! What an observation can say: it is not there, it could not be asked, or here it is.

use super::trouble::Trouble;

/// An observation. Unknown is not absent: nothing is stopped, dropped or swapped because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// Asked, and it is not there.
    Absent,
    /// It could not be asked.
    Unknown(Trouble),
    Present(T),
}

impl<T> Known<T> {
    pub fn present(&self) -> Option<&T> {
        match self {
            Known::Present(value) => Some(value),
            Known::Absent | Known::Unknown(_) => None,
        }
    }

    /// Why it could not be asked, when it could not.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Known::Unknown(trouble) => Some(trouble),
            Known::Absent | Known::Present(_) => None,
        }
    }
}
