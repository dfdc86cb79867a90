//! The page of one view: what is going on, what is not as it should be, what happened.

use crate::{
    figures::{age, count, length, milliseconds},
    table::{aligned, row},
};
use k8s_openapi::{api::core::v1::Event, apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::ResourceExt;
use millrace_crds::{
    ComparisonStatus, ConditionType, MaterializedView, MaterializedViewStatus, PreviousRevisionStatus, RolloutPhase,
    RolloutStatus, VerificationStatus,
};

/// The newest events that the page shows.
const EVENTS: usize = 10;

pub fn page(view: &MaterializedView, events: &[Event], now: Timestamp) -> String {
    let unseen = MaterializedViewStatus::default();
    let status = view.status.as_ref().unwrap_or(&unseen);
    let parts = [head(view, status, now), wrong(&status.conditions), replays(status, now), happened(events, now)];
    parts.iter().filter(|rows| !rows.is_empty()).map(|rows| aligned(rows)).collect::<Vec<_>>().join("\n")
}

fn head(view: &MaterializedView, status: &MaterializedViewStatus, now: Timestamp) -> Vec<Vec<String>> {
    let target = &view.spec.target;
    let mut rows = vec![
        row(["Name:", &view.name_any()]),
        row(["Namespace:", &view.namespace().unwrap_or_default()]),
        row(["Table:", &format!("{}.{}", target.schema, target.name)]),
        row(["Ready:", &readiness(status)]),
    ];
    let mut add = |label: &str, value: Option<String>| rows.extend(value.map(|value| row([label, &value])));
    let deleted = view.metadata.deletion_timestamp.as_ref().map(|time| age(Some(time.0), now));
    add("Deleting:", deleted.map(|age| format!("for {age}")));
    add("Unseen:", unseen(view, status));
    let live = status.live_revision.as_ref().map(|name| format!("revision {name}"));
    add("Live:", live.or_else(|| Some("nothing yet".to_owned())));
    add("Previous:", status.previous_revision.as_ref().map(|previous| kept(previous, now)));
    add("Workers:", status.replicas.map(|replicas| replicas.to_string()));
    add("Lag:", status.lag_records.map(|records| format!("{} records", count(records))));
    add("Freshness:", status.freshness_milliseconds.map(milliseconds));
    if let Some(rollout) = &status.rollout {
        add("Rollout:", Some(format!("revision {}, {:?}", rollout.revision, rollout.phase)));
        add("Progress:", progress(rollout));
        add("Waits for:", rollout.waiting_on.clone());
        add("Compared:", rollout.comparison.as_ref().map(compared));
    }
    add("Verified:", status.verification.as_ref().map(|verification| verified(verification, now)));
    rows
}

/// What a rollback would go back to.
fn kept(previous: &PreviousRevisionStatus, now: Timestamp) -> String {
    let current = if previous.kept_current { " current" } else { "" };
    let mut text = format!("revision {}, kept{current}", previous.revision);
    if let Some(until) = &previous.kept_until {
        text.push_str(&format!(" for {} more", length(until.0.as_second() - now.as_second())));
    }
    if let Some(records) = previous.records_behind {
        text.push_str(&format!(", {} records behind", count(records)));
    }
    text
}

/// Ready's status and reason, in two words.
fn readiness(status: &MaterializedViewStatus) -> String {
    match status.condition(ConditionType::Ready) {
        Some(ready) => format!("{}, {}", ready.status, ready.reason),
        None => "Unknown, the operator has not looked at it yet".to_owned(),
    }
}

/// That the status is not about the newest spec.
fn unseen(view: &MaterializedView, status: &MaterializedViewStatus) -> Option<String> {
    let (newest, seen) = (view.metadata.generation?, status.observed_generation?);
    (seen < newest).then(|| format!("all of this is about generation {seen} of the resource, the newest is {newest}"))
}

/// How far a rollout is; nothing when nothing is being done, or nothing is known.
fn progress(rollout: &RolloutStatus) -> Option<String> {
    let percent = rollout.percent.filter(|_| rollout.phase != RolloutPhase::Steady)?;
    let mut text = format!("{percent}%");
    if let (Some(done), Some(total)) = (rollout.records_done, rollout.records_total) {
        text.push_str(&format!(", {} of {} records", count(done), count(total)));
    }
    if let Some(seconds) = rollout.eta_seconds {
        text.push_str(&format!(", {} to go", length(seconds)));
    }
    Some(text)
}

/// What differs between the rows of a rollout's revision and those of the live one.
fn compared(comparison: &ComparisonStatus) -> String {
    let ComparisonStatus { compared_rows, only_in_live, only_in_next, different, sample: _ } = comparison;
    if comparison.is_equal() {
        return format!("equal, {} rows", count(*compared_rows));
    }
    format!(
        "of {} rows {} only in the live one, {} with other values; {} only in the next one",
        count(*compared_rows),
        count(*only_in_live),
        count(*different),
        count(*only_in_next)
    )
}

/// What a verification came to.
fn verified(verification: &VerificationStatus, now: Timestamp) -> String {
    let begun = age(Some(verification.begun_at.0), now);
    match (&verification.result, &verification.message) {
        (None, _) => format!("goes on, begun {begun} ago"),
        (Some(result), None) => format!("{result:?}, begun {begun} ago"),
        (Some(result), Some(message)) => format!("{result:?}, begun {begun} ago: {message}"),
    }
}

/// What is being done, in one line.
pub fn line(status: &MaterializedViewStatus) -> String {
    let Some(rollout) = status.rollout.as_ref().filter(|rollout| rollout.phase != RolloutPhase::Steady) else {
        let ready = status.condition(ConditionType::Ready);
        return ready.map_or_else(|| readiness(status), |ready| format!("{}: {}", ready.reason, ready.message));
    };
    let mut text = format!("revision {}, {:?}", rollout.revision, rollout.phase);
    for more in [progress(rollout), rollout.waiting_on.as_ref().map(|what| format!("waits for {what}"))] {
        text.extend(more.map(|more| format!(", {more}")));
    }
    text
}

/// The conditions that are not as they should be.
pub fn wrong(conditions: &[Condition]) -> Vec<Vec<String>> {
    let found: Vec<&Condition> = conditions.iter().filter(|condition| !is_well(condition)).collect();
    let mut rows = Vec::new();
    if !found.is_empty() {
        rows.push(row(["CONDITION", "STATUS", "REASON", "MESSAGE"]));
    }
    rows.extend(found.iter().map(|condition| {
        row([&condition.type_, &condition.status, &condition.reason, &condition.message].map(String::as_str))
    }));
    rows
}

/// That work is going on is no fault, and neither is that a rollout has not ended yet.
fn is_well(condition: &Condition) -> bool {
    let (stalled, going_on) = (ConditionType::Stalled.as_str(), ConditionType::Reconciling.as_str());
    match condition.status.as_str() {
        "True" => condition.type_ != stalled,
        "Unknown" => condition.type_ == ConditionType::RolloutSucceeded.as_str(),
        _ => [stalled, going_on].contains(&condition.type_.as_str()),
    }
}

fn replays(status: &MaterializedViewStatus, now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if !status.replays.is_empty() {
        rows.push(row(["REPLAY", "REVISION", "AGE"]));
    }
    rows.extend(
        status.replays.iter().map(|replay| row([&replay.id, &replay.revision, &age(Some(replay.accepted_at.0), now)])),
    );
    rows
}

/// The newest events, the very newest last.
pub fn happened(events: &[Event], now: Timestamp) -> Vec<Vec<String>> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| moment(event));
    let newest = &events[events.len().saturating_sub(EVENTS)..];
    let mut rows = Vec::new();
    if !newest.is_empty() {
        rows.push(row(["AGE", "TYPE", "EVENT", "MESSAGE"]));
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    rows.extend(
        newest
            .iter()
            .map(|event| vec![age(moment(event), now), text(&event.type_), text(&event.reason), text(&event.message)]),
    );
    rows
}

/// When an event happened last: whoever writes events fills in what it likes.
fn moment(event: &Event) -> Option<Timestamp> {
    let last = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let micro = last.or(event.event_time.as_ref()).map(|time| time.0);
    let plain = [&event.last_timestamp, &event.first_timestamp, &event.metadata.creation_timestamp];
    micro.or_else(|| plain.into_iter().flatten().map(|time| time.0).next())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::{Value, json};

    pub const NOW: &str = "2026-01-03T00:00:00Z";

    /// A view that was made two days before `NOW`, with this status.
    pub fn view(status: Value) -> MaterializedView {
        serde_json::from_value(json!({
            "apiVersion": "millrace.dev/v1alpha1",
            "kind": "MaterializedView",
            "metadata": {
                "name": "user-view", "namespace": "shop", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"sources": [], "query": "SELECT 1", "target": {"schema": "shop", "name": "user_view"}},
            "status": status,
        }))
        .expect("a view")
    }

    /// An event that says this, so many minutes before `NOW`.
    pub fn event(minutes: i64, reason: &str, message: &str) -> Event {
        let now: Timestamp = NOW.parse().expect("a time");
        let time = Timestamp::from_second(now.as_second() - 60 * minutes).expect("a time");
        serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "type": "Normal", "reason": reason, "message": message,
            "lastTimestamp": time.to_string(),
        }))
        .expect("an event")
    }

    fn shown(status: Value, events: &[Event]) -> String {
        page(&view(status), events, NOW.parse().expect("a time"))
    }

    fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    #[test]
    fn a_view_that_nobody_has_looked_at_has_a_page_too() {
        expect![[r#"
            Name:        user-view
            Namespace:   shop
            Table:       shop.user_view
            Ready:       Unknown, the operator has not looked at it yet
            Live:        nothing yet
        "#]]
        .assert_eq(&shown(Value::Null, &[]));
    }

    #[test]
    fn a_page_says_what_a_rollback_would_go_back_to() {
        let line = |previous: Value| {
            let page = shown(json!({"liveRevision": "1a2b3c4d", "previousRevision": previous}), &[]);
            page.lines().find(|line| line.starts_with("Previous:")).expect("it is said").to_owned()
        };
        let kept = json!({"revision": "9c8d7e6f", "keptCurrent": true, "recordsBehind": 0, "keptUntil": "2026-01-03T00:42:00Z"});
        assert_eq!(line(kept), "Previous:    revision 9c8d7e6f, kept current for 42m more, 0 records behind");
        let rests = json!({"revision": "9c8d7e6f", "keptCurrent": false, "recordsBehind": 5800});
        assert_eq!(line(rests), "Previous:    revision 9c8d7e6f, kept, 5,800 records behind");
    }

    #[test]
    fn a_view_that_is_well_has_a_short_page() {
        let status = json!({
            "observedGeneration": 2,
            "conditions": [
                condition("Available", "True", "Live", "readers of shop.user_view are served"),
                condition("Ready", "True", "Live", "readers of shop.user_view see this generation's revision"),
            ],
            "liveRevision": "1a2b3c4d",
            "rollout": {"revision": "1a2b3c4d", "phase": "Steady", "percent": 100},
            "lagRecords": 0, "freshnessMilliseconds": 85, "replicas": 6,
        });
        expect![[r#"
            Name:        user-view
            Namespace:   shop
            Table:       shop.user_view
            Ready:       True, Live
            Live:        revision 1a2b3c4d
            Workers:     6
            Lag:         0 records
            Freshness:   85ms
            Rollout:     revision 1a2b3c4d, Steady
        "#]]
        .assert_eq(&shown(status, &[]));
    }

    #[test]
    fn a_rollout_is_shown_with_what_it_waits_for_what_is_wrong_and_what_happened() {
        let status = json!({
            "observedGeneration": 1,
            "conditions": [
                condition("Available", "True", "Live", "readers of shop.user_view are served"),
                condition("Ready", "False", "InvalidQuery", "line 1, column 8: found unknown column \"부서\"\nwrite id"),
                condition("Stalled", "True", "InvalidQuery", "line 1, column 8: found unknown column \"부서\"\nwrite id"),
                condition("RolloutSucceeded", "Unknown", "RollingOut", "revision 5e6f7a8b is not live yet"),
            ],
            "liveRevision": "1a2b3c4d",
            "rollout": {
                "revision": "5e6f7a8b", "phase": "Building", "recordsDone": 4200, "recordsTotal": 10000, "percent": 42,
                "etaSeconds": 80, "waitingOn": "workers: revision 5e6f7a8b is 5800 records behind the live one",
            },
            "replays": [
                {"id": "first", "revision": "1a2b3c4d", "acceptedAt": "2026-01-01T12:00:00Z"},
                {"id": "after-bugfix", "revision": "5e6f7a8b", "acceptedAt": "2026-01-02T23:50:00Z"},
            ],
            "lagRecords": 58, "freshnessMilliseconds": 125000, "replicas": 3,
        });
        let mut events: Vec<Event> = (0..12).map(|number| event(60 + number, "Older", &number.to_string())).collect();
        events.insert(3, event(10, "RevisionCreated", "revision 5e6f7a8b is built for the replay after-bugfix"));
        events.push(event(20, "TopicGrown", "토픽 users 파티션 6개"));
        expect![[r#"
            Name:        user-view
            Namespace:   shop
            Table:       shop.user_view
            Ready:       False, InvalidQuery
            Unseen:      all of this is about generation 1 of the resource, the newest is 2
            Live:        revision 1a2b3c4d
            Workers:     3
            Lag:         58 records
            Freshness:   2m5s
            Rollout:     revision 5e6f7a8b, Building
            Progress:    42%, 4,200 of 10,000 records, 1m20s to go
            Waits for:   workers: revision 5e6f7a8b is 5800 records behind the live one

            CONDITION   STATUS   REASON         MESSAGE
            Ready       False    InvalidQuery   line 1, column 8: found unknown column "부서" write id
            Stalled     True     InvalidQuery   line 1, column 8: found unknown column "부서" write id

            REPLAY         REVISION   AGE
            first          1a2b3c4d   1d12h
            after-bugfix   5e6f7a8b   10m

            AGE    TYPE     EVENT             MESSAGE
            1h7m   Normal   Older             7
            1h6m   Normal   Older             6
            1h5m   Normal   Older             5
            1h4m   Normal   Older             4
            1h3m   Normal   Older             3
            1h2m   Normal   Older             2
            1h1m   Normal   Older             1
            1h     Normal   Older             0
            20m    Normal   TopicGrown        토픽 users 파티션 6개
            10m    Normal   RevisionCreated   revision 5e6f7a8b is built for the replay after-bugfix
        "#]]
        .assert_eq(&shown(status, &events));
    }

    #[test]
    fn what_was_compared_and_verified_is_on_the_page() {
        let lines = |comparison: Value, verification: Value| {
            let rollout = json!({"revision": "5e6f7a8b", "phase": "Gating", "comparison": comparison});
            let page = shown(json!({"rollout": rollout, "verification": verification}), &[]);
            let wanted = |line: &&str| line.starts_with("Compared:") || line.starts_with("Verified:");
            page.lines().filter(wanted).map(str::to_owned).collect::<Vec<_>>()
        };
        let found = |live: i64, different: i64| json!({"comparedRows": 1200, "onlyInLive": live, "onlyInNext": 0, "different": different});
        let verified = |result: Value, message: Value| json!({"begunAt": "2026-01-02T22:00:00Z", "result": result, "message": message});
        assert_eq!(
            lines(found(0, 0), verified(Value::Null, Value::Null)),
            ["Compared:    equal, 1,200 rows", "Verified:    goes on, begun 2h ago"]
        );
        assert_eq!(
            lines(found(2, 3), verified(json!("Refused"), json!("보존 기간이 지났습니다"))),
            [
                "Compared:    of 1,200 rows 2 only in the live one, 3 with other values; 0 only in the next one",
                "Verified:    Refused, begun 2h ago: 보존 기간이 지났습니다",
            ]
        );
    }

    #[test]
    fn one_line_says_what_is_being_done_or_why_nothing_is() {
        let said = |status: Value| line(&view(status).status.expect("a status"));
        let rollout = json!({"revision": "5e6f7a8b", "phase": "CatchingUp", "percent": 99, "waitingOn": "workers"});
        assert_eq!(said(json!({"rollout": rollout})), "revision 5e6f7a8b, CatchingUp, 99%, waits for workers");
        let ready = condition("Ready", "False", "Paused", "the annotation is set");
        assert_eq!(said(json!({"conditions": [ready]})), "Paused: the annotation is set");
        assert_eq!(said(json!({})), "Unknown, the operator has not looked at it yet");
    }
}
