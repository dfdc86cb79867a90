//! What a revision must have shown before it goes live.

use super::{HOLDS_APART, Promises};
use crate::postgres::SimulatedPostgres;
use millrace_crds::{ComparisonGate, Reason, VerificationResult};
use millrace_operator::view::{
    action::Action,
    comparison::{State, last},
    desired::Desired,
    moment::Moment,
    name::Revision,
};

impl Promises {
    /// Nothing goes live that has not passed the gates that are asked for.
    pub fn check_gates(
        &mut self,
        desired: &Desired,
        action: &Action,
        done: bool,
        postgres: &SimulatedPostgres,
        now: Moment,
    ) {
        let Some(view) = postgres.view.as_ref().filter(|_| done) else { return };
        let back = |next: &Revision| view.rolled_back.as_ref().is_some_and(|(_, to)| to == next);
        let next = match action {
            Action::ShowFirst { revision, .. } => revision,
            Action::CutOver { next, unfinished: false, .. } if !back(next) => next,
            Action::RunGates { .. } => return self.failing += u64::from(postgres.says_no),
            _ => return,
        };
        let (gates, row) = (&desired.rollout.gates, &view.revisions[next]);
        let first = matches!(action, Action::ShowFirst { .. });
        let asked = gates.assertions.iter().filter(|gate| !first || gate.sql("", None).is_some()).count();
        if asked == 0 && gates.soak.is_zero() {
            return;
        }
        let seed = self.seed;
        let caught_up = row.caught_up_at.unwrap_or_else(|| panic!("seed {seed}: {next} is live and has not soaked"));
        assert!(now.since(caught_up) >= gates.soak, "seed {seed}: {next} is live and has not soaked to the end");
        let passed = row.answers.values().filter(|answer| answer.passed && answer.at >= caught_up).count();
        assert!(passed >= asked, "seed {seed}: {next} is live and has passed {passed} of {asked} assertions");
        self.gated += 1;
    }

    /// Nothing goes live that a comparison has not let through, and the live revision does not stand still again and again.
    pub(super) fn check_comparisons(
        &mut self,
        desired: &Desired,
        action: &Action,
        done: bool,
        postgres: &SimulatedPostgres,
    ) {
        let seed = self.seed;
        let Some(view) = postgres.view.as_ref().filter(|_| done) else { return };
        match action {
            Action::Hold { live, next: _ } => {
                self.holds += 1;
                let until = view.revisions[live].progress.iter().filter_map(|task| Some(task.hold?.until)).max();
                let until = until.expect("a revision that is held reads something");
                let before = self.held.replace((live.clone(), until)).filter(|(before, _)| before == live);
                let apart = before.map(|(_, before)| until.since(before));
                let rested = apart.is_none_or(|apart| apart >= HOLDS_APART);
                assert!(rested, "seed {seed}: {live} is held again after {apart:?}");
            }
            Action::Compare { .. } => self.comparisons += 1,
            Action::EndVerification { result, .. } => {
                self.verified += u64::from(*result != VerificationResult::Refused)
            }
            Action::Abandon { revision: _, trouble } => {
                self.given_up += u64::from(trouble.reason == Reason::GateFailed)
            }
            Action::CutOver { live, next, unfinished: false } => {
                let back = view.rolled_back.as_ref().is_some_and(|(_, to)| to == next);
                let gated = desired.rollout.gates.comparison == Some(ComparisonGate::RequireEqual) && !back;
                let equal = match last(view, live, (next, &view.revisions[next])) {
                    Some(State::Found(found)) => found.is_equal(),
                    Some(State::Running | State::Lost | State::Failed(_)) | None => false,
                };
                assert!(!gated || equal, "seed {seed}: {next} is live, and does not give the rows of {live}");
            }
            _ => {}
        }
    }
}
