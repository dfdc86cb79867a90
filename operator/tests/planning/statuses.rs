//! What a status says of a view, beyond what its plan says.

use crate::scene::{PAUSE, steady};
use millrace_crds::{ConditionType, MaterializedViewStatus};
use millrace_operator::view::status::Outcome;

/// The status of Ready, its reason, and the generation that it is about.
fn ready(status: &MaterializedViewStatus) -> (&str, &str, Option<i64>) {
    let ready = status.condition(ConditionType::Ready).expect("it is always there");
    (&ready.status, &ready.reason, ready.observed_generation)
}

#[test]
fn a_paused_view_says_nothing_of_a_generation_that_nobody_looked_at() {
    let live = steady().report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(ready(&live), ("True", "Live", Some(1)));
    let paused = steady().ask(PAUSE).report(&Outcome::Done, &live);
    assert_eq!(ready(&paused), ("True", "Paused", Some(1)));
    let changed = steady().ask(PAUSE).ask("metadata: {generation: 2}");
    let once = changed.report(&Outcome::Done, &paused);
    for status in [&once, &changed.report(&Outcome::Done, &once)] {
        assert_eq!(ready(status), ("Unknown", "Paused", Some(1)));
        assert_eq!(status.observed_generation, Some(1));
    }
    let resumed = steady().ask("metadata: {generation: 2}").report(&Outcome::Done, &once);
    assert_eq!(ready(&resumed), ("True", "Live", Some(2)));
    assert_eq!(resumed.observed_generation, Some(2));
}
