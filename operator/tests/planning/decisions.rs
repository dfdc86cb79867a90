//! What people decide: to let a revision go live, to give it up, to go back, to try again, to stop for a while.

use crate::scene::{END, MINUTE, OTHER_QUERY, REPLAY, Scene, building, next, steady, view};
use expect_test::expect;
use millrace_contract::revision::RevisionState;
use millrace_operator::view::{
    moment::Moment,
    observed::Observed,
    request::{Request, Verb},
};

const MANUAL: &str = "spec: {rollout: {promotion: Manual}}";
const PAUSED: &str = "spec: {rollout: {paused: true}}";
const APPROVAL: &str = "spec: {rollout: {onBreakingChange: AwaitApproval}}";
const FEWER: &str = "spec: {query: 'SELECT id FROM users'}";

fn annotated(scene: Scene, verb: &str) -> Scene {
    scene.ask(&format!("metadata: {{annotations: {{millrace.dev/{verb}: mine}}}}"))
}

fn given_up(seen: &mut Observed) {
    let row = next(seen);
    (row.state, row.reason) =
        (RevisionState::Abandoned, Some("RolloutAborted: a person gave it up (abort mine)".into()));
}

fn acted(verb: Verb) -> impl Fn(&mut Observed) {
    move |seen| {
        view(seen).requests.insert(Request { verb, id: "mine".into() }, None);
    }
}

#[test]
fn with_manual_promotion_a_revision_that_has_caught_up_waits_for_a_person() {
    let waiting = || steady().ask(OTHER_QUERY).ask(MANUAL).begun(END);
    waiting().check(&expect![[r#"
        B AwaitingPromotion
        - note that B has caught up
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    let noted = || waiting().with(|seen| next(seen).caught_up_at = Some(Moment(0)));
    noted().check(&expect![[r#"
        B AwaitingPromotion
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    // It is not late, however long the person thinks, and its time counts from the person's word on.
    noted().later(500 * MINUTE).check(&expect![[r#"
        B AwaitingPromotion
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    let promoted = || noted().ask_by_name("millrace.dev/promote");
    promoted().check(&expect![[r#"
        B AwaitingPromotion
        - obey promote B: let B go live
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    noted().ask("metadata: {annotations: {millrace.dev/promote: other}}").check(&expect![[r#"
        B AwaitingPromotion
        - obey promote other: nothing: no revision of that name is being built
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    // What has acted acts no more: another word for the same revision says something after a dot.
    let spent = |seen: &mut Observed| {
        let view = view(seen);
        let names = view.revisions.keys().map(|name| (Request { verb: Verb::Promote, id: name.0.clone() }, None));
        view.requests = names.collect();
    };
    promoted().with(spent).check(&expect![[r#"
        B AwaitingPromotion
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B.2 lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    let approved = || promoted().with(spent).with(|seen| next(seen).approved_at = Some(Moment(1_700_000_000_000)));
    approved().check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    approved().later(121 * MINUTE).check(&expect![[r#"
        B Building
        - abandon B: RolloutTimedOut
    "#]]);
}

#[test]
fn a_revision_may_be_let_through_before_it_has_caught_up_and_a_first_one_waits_for_nobody() {
    let early = || steady().ask(OTHER_QUERY).ask(MANUAL).begun(0).ask_by_name("millrace.dev/promote");
    early().check(&expect![[r#"
        B Building
        - obey promote B: let B go live
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    building().ask(MANUAL).with(seen_everything).check(&expect![[r#"
        A CuttingOver
        - show first A in shop.user_view
    "#]]);
}

fn seen_everything(seen: &mut Observed) {
    let rows = view(seen).revisions.values_mut();
    rows.flat_map(|row| &mut row.progress).for_each(|task| task.next_offset = END);
}

#[test]
fn a_query_that_takes_columns_from_readers_is_built_and_waits_for_a_person() {
    steady().ask(FEWER).ask(APPROVAL).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    let built = || steady().ask(FEWER).ask(APPROVAL).begun(END);
    built().with(|seen| next(seen).caught_up_at = Some(Moment(0))).check(&expect![[r#"
        B AwaitingPromotion
        waits for a person: revision B has caught up, and readers of shop.user_view would see nulls: name text is gone; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
    let approved = || built().with(|seen| next(seen).approved_at = Some(Moment(0)));
    approved().check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    approved().switched().check(&expect![[r#"
        B CuttingOver
        - cut over from A to B
    "#]]);
    // What was lost once is not lost again; another type is refused always.
    approved().cut_over(MINUTE).ask(OTHER_QUERY).check(&expect![[r#"
        C Building
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    approved().cut_over(MINUTE).ask("spec: {query: 'SELECT id FROM users WHERE id > 5'}").check(&expect![[r#"
        C Building
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    steady().ask("spec: {query: 'SELECT id, name, id AS name2 FROM users'}").ask(APPROVAL).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    steady().ask("spec: {query: 'SELECT id, id AS name FROM users'}").ask(APPROVAL).check(&expect![[r#"
        B Building
        waits for readers of shop.user_view would lose columns: name was text and is bigint; give columns of another type another name, or make another MaterializedView
        ! BreakingChange: readers of shop.user_view would lose columns: name was text and is bigint; give columns of another type another name, or make another MaterializedView
    "#]]);
}

#[test]
fn an_abort_gives_up_what_is_built_and_acts_once() {
    let aborted = || annotated(steady().ask(OTHER_QUERY).begun(0), "abort");
    aborted().check(&expect![[r#"
        B Building
        - obey abort mine: abandon B
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    aborted().with(acted(Verb::Abort)).with(given_up).check(&expect![[r#"
        B Building
        - delete deployment user-view-B
        ! RolloutAborted: revision B was abandoned: a person gave it up (abort mine)
    "#]]);
    // Tried again, it is not given up again by what is still written there.
    aborted().with(acted(Verb::Abort)).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    annotated(steady(), "abort").check(&expect![[r#"
        A Steady
        - obey abort mine: nothing: no revision is being built
    "#]]);
    annotated(building(), "abort").check(&expect![[r#"
        A Building
        - obey abort mine: abandon A
        waits for workers: revision A is 100000 records behind the ends of the topics
    "#]]);
    steady().ask("metadata: {annotations: {millrace.dev/abort: ''}}").check(&expect![[r#"
        ! InvalidSpec: the annotation millrace.dev/abort is '', but it must be a name of your choice for this request, with letters a to z, digits, dots, _ and - only, that begins and ends with a letter or a digit and has at most 63 characters; write for example millrace.dev/abort=again-1
    "#]]);
}

#[test]
fn a_retry_goes_on_with_what_was_given_up() {
    let given = || steady().ask(OTHER_QUERY).begun(0).with(given_up);
    annotated(given(), "retry").check(&expect![[r#"
        B Building
        - obey retry mine: go on with B
        ! RolloutAborted: revision B was abandoned: a person gave it up (abort mine)
    "#]]);
    // Its time counts from then on.
    let again = || {
        let scene = steady().ask(OTHER_QUERY).begun(0).later(121 * MINUTE);
        let now = Moment(1_700_000_000_000 + 121 * 60_000);
        scene.with(move |seen| next(seen).resumed_at = Some(now))
    };
    again().check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    again().later(121 * MINUTE).check(&expect![[r#"
        B Building
        - abandon B: RolloutTimedOut
    "#]]);
    annotated(steady(), "retry").check(&expect![[r#"
        A Steady
        - obey retry mine: nothing: what the resource asks for was not given up
    "#]]);
}

#[test]
fn a_rollback_starts_the_revision_of_before_and_swaps_when_it_has_caught_up() {
    let live = || steady().ask(OTHER_QUERY).begun(END).cut_over(MINUTE);
    annotated(live(), "rollback").check(&expect![[r#"
        B Steady
        - obey rollback mine: roll back from B to A
    "#]]);
    let back = || {
        annotated(live(), "rollback").with(acted(Verb::Rollback)).with(|seen| {
            let view = view(seen);
            let before = view.revisions.keys().find(|name| Some(*name) != view.live.as_ref()).cloned();
            view.rolled_back = view.live.clone().zip(before);
        })
    };
    back().check(&expect![[r#"
        A Building
        - reopen revision A
    "#]]);
    let reopened = || back().with(|seen| next(seen).state = RevisionState::Open);
    reopened().check(&expect![[r#"
        A CuttingOver
        - apply deployment user-view-A replicas=2
        - show switch:B:A instead of plain:B
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // Nobody is asked again, whatever the promotion is.
    reopened().ask(MANUAL).check(&expect![[r#"
        A CuttingOver
        - apply deployment user-view-A replicas=2
        - show switch:B:A instead of plain:B
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // What it has not read is gone.
    let lost = |seen: &mut Observed| next(seen).progress[0].topic_id = "topic-0".into();
    back().with(lost).check(&expect![[r#"
        A Building
        ! RolledBack: revision A cannot be gone back to: topic user-events was deleted and made again (its id was topic-0 and is topic-1); ask for a replay (spec.replay with a new id) to build the view from the new one; stay with the live one by the annotation millrace.dev/retry with a name of your choice
    "#]]);
    annotated(back(), "retry").check(&expect![[r#"
        A Building
        - obey retry mine: end the rollback
    "#]]);
    annotated(reopened(), "abort").check(&expect![[r#"
        A CuttingOver
        - obey abort mine: end the rollback
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // There is nothing to go back to.
    annotated(steady(), "rollback").check(&expect![[r#"
        A Steady
        - obey rollback mine: nothing: no revision from before the live one is kept (rollout.retainPrevious)
    "#]]);
}

#[test]
fn a_view_that_was_rolled_back_stays_so_until_the_resource_asks_for_something_else() {
    let back = || {
        let scene = steady().ask(OTHER_QUERY).begun(END).cut_over(MINUTE);
        scene.with(|seen| {
            let view = view(seen);
            let from = view.live.clone().expect("one is live");
            let to = view.revisions.keys().find(|name| **name != from).cloned().expect("two revisions");
            for (name, row) in &mut view.revisions {
                row.state = if *name == to { RevisionState::Open } else { RevisionState::Retired };
                row.ended_at = Some(Moment(1_700_000_000_000));
            }
            (view.live, view.shown) = (Some(to.clone()), millrace_operator::view::shown::Shown::Plain(to.clone()));
            view.rolled_back = Some((from, to));
        })
    };
    back().check(&expect![[r#"
        A Steady
        - apply deployment user-view-A replicas=2
        - delete deployment user-view-B
        ! RolledBack: revision A is live because a person went back from B, which the resource asks for; write another query, ask for a replay (spec.replay with a new id), or let B go live again with the annotation millrace.dev/retry and a name of your choice
    "#]]);
    annotated(back(), "retry").check(&expect![[r#"
        A Steady
        - obey retry mine: end the rollback
        ! RolledBack: revision A is live because a person went back from B, which the resource asks for; write another query, ask for a replay (spec.replay with a new id), or let B go live again with the annotation millrace.dev/retry and a name of your choice
    "#]]);
    annotated(back(), "rollback").check(&expect![[r#"
        A Steady
        - obey rollback mine: end the rollback
        ! RolledBack: revision A is live because a person went back from B, which the resource asks for; write another query, ask for a replay (spec.replay with a new id), or let B go live again with the annotation millrace.dev/retry and a name of your choice
    "#]]);
    back().ask(REPLAY).check(&expect![[r#"
        C Building
        - create revision C replays 0->1 for replay again user-events/0@0 user-events/1@0
        - apply deployment user-view-A replicas=2
        - delete deployment user-view-B
    "#]]);
    back().ask("spec: {query: 'SELECT id, name FROM users WHERE id > 20'}").check(&expect![[r#"
        C Building
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
        - apply deployment user-view-A replicas=2
        - delete deployment user-view-B
    "#]]);
}

#[test]
fn a_paused_rollout_stands_still_and_the_live_revision_goes_on() {
    steady().ask(PAUSED).check(&expect![[r#"
        A Steady
    "#]]);
    steady().ask(PAUSED).ask(OTHER_QUERY).check(&expect![[r#"
        B Building
        waits for a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    let paused = || steady().ask(OTHER_QUERY).begun(END).switched().ask(PAUSED);
    paused().check(&expect![[r#"
        B Building
        - pause B
        - apply deployment user-view-B replicas=0
        waits for a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    let stood = || paused().with(|seen| next(seen).paused = true);
    stood().later(500 * MINUTE).check(&expect![[r#"
        B Building
        - apply deployment user-view-B replicas=0
        waits for a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    // Fenced for a cut-over that does not come, the live one would give readers no news.
    let fenced = |seen: &mut Observed| {
        let view = view(seen);
        let live = view.live.clone().expect("one is live");
        view.revisions.get_mut(&live).expect("its row").state = RevisionState::Fenced;
    };
    stood().with(fenced).check(&expect![[r#"
        B Building
        - unfence A
        - apply deployment user-view-B replicas=0
        waits for a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    stood().later(500 * MINUTE).ask("spec: {rollout: {paused: false}}").check(&expect![[r#"
        B CuttingOver
        - resume B
        - cut over from A to B
    "#]]);
}
