//! Scripts: what people and faults do to a view, tried in a simulated world and on a cluster. Where the rollout may be seen
//! to stand, one look after another, is what the simulated world has shown.

/// One thing that is done, or waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The query of this number is asked for: 0 is the first, 1 has another condition, 2 has a column more.
    Query(usize),
    Replay,
    /// `rollout.promotion`.
    Manual(bool),
    /// `rollout.paused`.
    Paused(bool),
    Promote,
    Abort,
    Retry,
    Rollback,
    KillOperator,
    KillWorkers,
    /// Until `Ready` has this reason, for what is asked now.
    Until(&'static str),
}

pub struct Script {
    pub name: &'static str,
    pub steps: &'static [Step],
}

/// Every script begins with a live view of the first query.
pub const SCRIPTS: [Script; 4] = [
    Script {
        name: "a replay while the operator and workers are killed",
        steps: &[Step::Replay, Step::KillOperator, Step::KillWorkers, Step::KillOperator, Step::Until("Live")],
    },
    Script {
        name: "another query, back, and forward again",
        steps: &[
            Step::Query(1),
            Step::Until("Live"),
            Step::Rollback,
            Step::Until("RolledBack"),
            Step::Retry,
            Step::KillOperator,
            Step::Until("Live"),
        ],
    },
    Script {
        name: "a person gives a revision up, and lets it go live after all",
        steps: &[
            Step::Manual(true),
            Step::Query(2),
            Step::Until("AwaitingPromotion"),
            Step::Abort,
            Step::Until("RolloutAborted"),
            Step::Retry,
            Step::Until("AwaitingPromotion"),
            Step::Promote,
            Step::Until("Live"),
        ],
    },
    Script {
        name: "a stopped rollout is superseded",
        steps: &[
            Step::Manual(true),
            Step::Query(1),
            Step::Until("AwaitingPromotion"),
            Step::Paused(true),
            Step::Until("RolloutPaused"),
            Step::Query(2),
            Step::KillWorkers,
            Step::Manual(false),
            Step::Paused(false),
            Step::Until("Live"),
        ],
    },
];

/// From which phase to which a view has gone in the simulated world, one status after another: a line each.
pub const TRANSITIONS: &str = include_str!("script/transitions.txt");

/// Whether the simulated world has gone from one phase to the other in the script of that name.
pub fn is_allowed(script: &str, from: &str, to: &str) -> bool {
    TRANSITIONS.lines().any(|line| line == line_of(script, from, to))
}

/// The line of a transition.
pub fn line_of(script: &str, from: &str, to: &str) -> String {
    format!("{script}: {from} -> {to}")
}
