//! What readers see while a new revision is built: the one before, or, when there is no room for two, the new one.

use crate::scene::{END, OTHER_QUERY, steady, view};
use expect_test::expect;
use millrace_crds::ConditionType;
use millrace_operator::view::{observed::Observed, status::Outcome};
use std::time::Duration;

const IN_PLACE: &str = "spec: {rollout: {strategy: InPlaceWithDowntime}}";

fn refilling(seen: &mut Observed) {
    let view = view(seen);
    let live = view.live.clone().expect("one is live");
    view.revisions.get_mut(&live).expect("it has its row").refilling = true;
}

#[test]
fn in_place_a_revision_goes_live_before_it_has_read_anything() {
    let begun = || steady().ask(OTHER_QUERY).ask(IN_PLACE).begun(0);
    begun().check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    begun().switched().check(&expect![[r#"
        B CuttingOver
        - cut over from A to B, unfinished
    "#]]);
    // There is no room for two: the one before goes at once.
    let filling = || begun().cut_over(Duration::from_secs(1)).with(refilling);
    filling().check(&expect![[r#"
        B Building
        - drop revision A
        waits for workers: revision B is 100000 records behind the ends of the topics
    "#]]);
    let status = filling().report(&Outcome::Done, &Default::default());
    for kind in [ConditionType::Available, ConditionType::Ready] {
        assert_eq!(status.condition(kind).map(|condition| condition.status.as_str()), Some("False"), "{kind:?}");
    }
}

#[test]
fn in_place_a_revision_that_has_read_everything_is_whole_again() {
    let filled = steady().ask(OTHER_QUERY).ask(IN_PLACE).begun(END).cut_over(Duration::from_secs(1)).with(refilling);
    filled.check(&expect![[r#"
        B CatchingUp
        - note that B has read everything
        - drop revision A
        waits for workers: revision B is 0 records behind the ends of the topics
    "#]]);
}

#[test]
fn another_query_waits_for_a_person_also_before_a_downtime() {
    let manual = "spec: {rollout: {promotion: Manual}}";
    steady().ask(OTHER_QUERY).ask(IN_PLACE).ask(manual).begun(0).check(&expect![[r#"
        B AwaitingPromotion
        - note that B has caught up
        waits for a person: revision B is to fill before the eyes of readers; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
}
