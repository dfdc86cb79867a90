//! The page of one app: how far its group is, what its replay waits for, what is not as it should be, what happened.

use crate::{
    figures::{age, count},
    page::{happened, wrong},
    table::{aligned, row},
};
use k8s_openapi::{api::core::v1::Event, jiff::Timestamp};
use kube::ResourceExt;
use millrace_crds::{AppPhase, ConditionType, PartitionLag, StreamApp, StreamAppStatus};

pub fn page(app: &StreamApp, events: &[Event], now: Timestamp) -> String {
    let unseen = StreamAppStatus::default();
    let status = app.status.as_ref().unwrap_or(&unseen);
    let parts =
        [head(app, status, now), lag(status), wrong(&status.conditions), replays(status, now), happened(events, now)];
    parts.iter().filter(|rows| !rows.is_empty()).map(|rows| aligned(rows)).collect::<Vec<_>>().join("\n")
}

fn head(app: &StreamApp, status: &StreamAppStatus, now: Timestamp) -> Vec<Vec<String>> {
    let ready = status.condition(ConditionType::Ready);
    let ready = ready.map(|ready| format!("{}, {}", ready.status, ready.reason));
    let mut rows = vec![
        row(["Name:", &app.name_any()]),
        row(["Namespace:", &app.namespace().unwrap_or_default()]),
        row(["Ready:", &ready.unwrap_or_else(|| "Unknown, the operator has not looked at it yet".to_owned())]),
    ];
    let mut add = |label: &str, value: Option<String>| rows.extend(value.map(|value| row([label, &value])));
    let deleted = app.metadata.deletion_timestamp.as_ref().map(|time| age(Some(time.0), now));
    add("Deleting:", deleted.map(|age| format!("for {age}")));
    if let (Some(newest), Some(seen)) = (app.metadata.generation, status.observed_generation)
        && seen < newest
    {
        let sentence = format!("all of this is about generation {seen} of the resource, the newest is {newest}");
        add("Unseen:", Some(sentence));
    }
    add("Instances:", status.replicas.map(|replicas| replicas.to_string()));
    add(
        "Group:",
        status.group.as_ref().map(|group| {
            let mut text = format!(
                "{}, {}, {} members, {} of them idle",
                app.spec.consumer_group, group.state, group.members, group.idle_members
            );
            if !group.foreign_members.is_empty() {
                text.push_str(&format!("; not of this app: {}", group.foreign_members.join(", ")));
            }
            text
        }),
    );
    add("Lag:", status.lag_records.map(|records| format!("{} records", count(records))));
    add("Replay:", status.phase.filter(|phase| *phase != AppPhase::Steady).map(|phase| format!("{phase:?}")));
    add("Waits for:", status.waiting_on.clone());
    rows
}

/// The partitions that are behind.
fn lag(status: &StreamAppStatus) -> Vec<Vec<String>> {
    let behind: Vec<&PartitionLag> = status.lag.iter().filter(|part| part.lag > 0).collect();
    let mut rows = Vec::new();
    if !behind.is_empty() {
        rows.push(row(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG"]));
    }
    rows.extend(behind.iter().map(|part| {
        let committed = part.committed.map_or("-".to_owned(), |offset| offset.to_string());
        vec![part.topic.clone(), part.partition.to_string(), committed, part.end.to_string(), count(part.lag)]
    }));
    rows
}

fn replays(status: &StreamAppStatus, now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if !status.replays.is_empty() {
        rows.push(row(["REPLAY", "RESET", "CAUGHT UP", "AGE"]));
    }
    rows.extend(status.replays.iter().map(|replay| {
        let word = |done: bool| if done { "yes" } else { "no" };
        let accepted = age(Some(replay.accepted_at.0), now);
        row([&replay.id, word(replay.reset_at.is_some()), word(replay.caught_up_at.is_some()), &accepted])
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{NOW, event};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn shown(status: Value, events: &[Event]) -> String {
        let app: StreamApp = serde_json::from_value(json!({
            "apiVersion": "millrace.dev/v1alpha1",
            "kind": "StreamApp",
            "metadata": {"name": "inventory", "namespace": "shop", "generation": 2},
            "spec": {"inputs": [{"topic": "order-events"}], "consumerGroup": "inventory", "podTemplate": {}},
            "status": status,
        }))
        .expect("an app");
        page(&app, events, NOW.parse().expect("a time"))
    }

    #[test]
    fn an_app_that_nobody_has_looked_at_has_a_page_too() {
        expect![[r#"
            Name:        inventory
            Namespace:   shop
            Ready:       Unknown, the operator has not looked at it yet
        "#]]
        .assert_eq(&shown(Value::Null, &[]));
    }

    #[test]
    fn a_replay_is_shown_with_what_it_waits_for() {
        let status = json!({
            "observedGeneration": 2,
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "ForeignMember", "message": "kcat 가 그룹에 있습니다",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "phase": "Draining", "waitingOn": "kcat at 10.0.0.9 to leave the group", "lagRecords": 5800,
            "lag": [
                {"topic": "order-events", "partition": 0, "committed": 4200, "end": 10000, "lag": 5800},
                {"topic": "order-events", "partition": 1, "committed": 10000, "end": 10000, "lag": 0},
            ],
            "group": {"state": "Stable", "members": 1, "idleMembers": 0, "foreignMembers": ["kcat at 10.0.0.9"]},
            "replays": [{"id": "first", "acceptedAt": "2026-01-02T00:00:00Z", "resetAt": "2026-01-02T00:00:12Z"}],
            "replicas": 0,
        });
        expect![[r#"
            Name:        inventory
            Namespace:   shop
            Ready:       False, ForeignMember
            Instances:   0
            Group:       inventory, Stable, 1 members, 0 of them idle; not of this app: kcat at 10.0.0.9
            Lag:         5,800 records
            Replay:      Draining
            Waits for:   kcat at 10.0.0.9 to leave the group

            TOPIC          PARTITION   COMMITTED   END     LAG
            order-events   0           4200        10000   5,800

            CONDITION   STATUS   REASON          MESSAGE
            Ready       False    ForeignMember   kcat 가 그룹에 있습니다

            REPLAY   RESET   CAUGHT UP   AGE
            first    yes     no          1d

            AGE   TYPE     EVENT            MESSAGE
            5m    Normal   ReplayAccepted   written down
        "#]]
        .assert_eq(&shown(status, &[event(5, "ReplayAccepted", "written down")]));
    }
}
