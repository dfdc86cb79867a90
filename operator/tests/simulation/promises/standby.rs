//! What is kept current beside the live revision: one revision at most, never seen, and only where it is asked for.

use super::Promises;
use crate::postgres::SimulatedPostgres;
use millrace_contract::revision::RevisionState;
use millrace_crds::Strategy;
use millrace_operator::view::{
    action::Action,
    desired::Desired,
    name::Revision,
    position::{Behind, behind_live},
};

#[derive(Default)]
pub struct Standby {
    /// What is kept current.
    kept: Option<Revision>,
    /// What was kept current until it was gone back to.
    reopened: Option<Revision>,
    pub begun: u64,
    pub rollbacks: u64,
    /// Whether the last look of a history without faults found one that stands where the live one does.
    pub current: u64,
}

impl Promises {
    /// After an action.
    pub fn check_standby(&mut self, desired: &Desired, action: &Action, done: bool, postgres: &SimulatedPostgres) {
        let (seed, before) = (self.seed, self.standby.kept.take());
        let Some(view) = &postgres.view else { return };
        let mut kept = view.revisions.iter().filter(|(_, row)| row.state == RevisionState::Standby);
        self.standby.kept = kept.next().map(|(name, _)| name.clone());
        assert!(kept.next().is_none(), "seed {seed}: two revisions are kept current after {action}");
        let live = view.live.as_ref();
        if let Some(kept) = &self.standby.kept {
            assert_ne!(live, Some(kept), "seed {seed}: what is live is on standby after {action}");
            assert!(!view.verifies(kept), "seed {seed}: what was built to verify is kept current after {action}");
        }
        if !done {
            return;
        }
        match action {
            Action::SetStandby { standby: true, .. } => {
                let rollout = &desired.rollout;
                let asked = rollout.keep_previous_current && rollout.strategy == Strategy::Shadow;
                assert!(asked, "seed {seed}: {action}, and nobody has asked for it");
                self.standby.begun += 1;
            }
            Action::ReopenRevision { revision } if before.as_ref() == Some(revision) => self.standby.reopened = before,
            Action::DropRevision { revision } => {
                assert_ne!(before.as_ref(), Some(revision), "seed {seed}: {action} while workers go on with it");
            }
            Action::CutOver { next, .. } => {
                let back = view.rolled_back.as_ref().is_some_and(|(_, to)| to == next);
                let was_kept = self.standby.reopened.take().as_ref() == Some(next);
                self.standby.rollbacks += u64::from(back && was_kept);
            }
            _ => {}
        }
    }

    /// Some time after the last record: a rollback would have nothing to read.
    pub fn check_standby_is_current(&mut self, postgres: &SimulatedPostgres) {
        let Some(view) = &postgres.view else { return };
        let Some((live, (name, row))) = view.live_row().zip(view.previous()) else { return };
        if row.state == RevisionState::Standby {
            let behind = behind_live(row, live.1);
            assert_eq!(behind, Behind::Records(0), "seed {}: {name} is kept current beside {}", self.seed, live.0);
            self.standby.current += 1;
        }
    }
}
