//! The name of a revision: 8 hex digits of what its rows depend on.

use crate::{ident::hex_digest, source::Source};
use serde::{Deserialize, Serialize};

/// What a revision is in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevisionState {
    /// Workers may claim and commit.
    Open,
    /// Nobody may commit: its positions stand still for the cut-over.
    Fenced,
    /// It was live; kept for a while.
    Retired,
    /// It was live; kept for a while, and workers may claim and commit: it stays current.
    Standby,
    /// It never went live and never will; `reason` says why.
    Abandoned,
}

impl RevisionState {
    pub const fn name(self) -> &'static str {
        match self {
            RevisionState::Open => "open",
            RevisionState::Fenced => "fenced",
            RevisionState::Retired => "retired",
            RevisionState::Standby => "standby",
            RevisionState::Abandoned => "abandoned",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Open, Self::Fenced, Self::Retired, Self::Standby, Self::Abandoned];
        all.into_iter().find(|state| state.name() == name)
    }

    /// Whether workers may claim and commit. Fence and leases ask the same in Postgres.
    pub const fn is_worked_on(self) -> bool {
        matches!(self, RevisionState::Open | RevisionState::Standby)
    }

    /// Whether it was live and can be gone back to.
    pub const fn is_kept(self) -> bool {
        matches!(self, RevisionState::Retired | RevisionState::Standby)
    }
}

/// The revision of a view: hash(canonical query, sources, result columns, time zone, semantics version, replay count).
///
/// `query` is the canonical text, printed from the syntax tree; `columns` are (name, type name) of the result.
pub fn revision_name(
    query: &str,
    sources: &[Source],
    columns: &[(String, String)],
    time_zone: &str,
    semantics_version: u32,
    replay_count: u32,
) -> String {
    let sources = serde_json::to_string(sources).expect("a source holds no map");
    let columns = serde_json::to_string(columns).expect("pairs of text serialise");
    let numbers = format!("{semantics_version}/{replay_count}");
    hex_digest([query, &sources, &columns, time_zone, &numbers], 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_revision_changes_its_name() {
        let columns = vec![("부서".to_owned(), "text".to_owned())];
        let name =
            |query, columns: &[(String, String)], zone, replays| revision_name(query, &[], columns, zone, 1, replays);
        let base = name("SELECT 1", &columns, "UTC", 0);
        assert_eq!(base.len(), 8);
        assert_ne!(base, name("SELECT 2", &columns, "UTC", 0));
        assert_ne!(base, name("SELECT 1", &[], "UTC", 0));
        assert_ne!(base, name("SELECT 1", &columns, "Asia/Seoul", 0));
        assert_ne!(base, name("SELECT 1", &columns, "UTC", 1));
        assert_ne!(base, revision_name("SELECT 1", &[], &columns, "UTC", 2, 0));
        assert_eq!(base, name("SELECT 1", &columns, "UTC", 0));
    }
}
