//! A replay, as it is typed and as the resource asks for it.

use crate::decision::{Decision, merge};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use millrace_crds::{Earliest, Latest, MaterializedView, Replay, ReplayFrom, duration::parse_duration};
use serde_json::{Value, json};

/// Where a replay begins: `earliest`, `latest`, a time or a length of time.
pub fn parse_from(text: &str) -> Result<ReplayFrom, String> {
    let nowhere = ReplayFrom { earliest: None, latest: None, timestamp: None, duration: None, offsets: None };
    if text == "earliest" {
        return Ok(ReplayFrom { earliest: Some(Earliest {}), ..nowhere });
    }
    if text == "latest" {
        return Ok(ReplayFrom { latest: Some(Latest {}), ..nowhere });
    }
    if parse_duration(text).is_ok() {
        return Ok(ReplayFrom { duration: Some(text.to_owned()), ..nowhere });
    }
    let time: Timestamp = text.parse().map_err(|_| {
        "write earliest, latest, a time such as 2026-01-31T00:00:00Z, or how long ago, such as 24h or 1h30m".to_owned()
    })?;
    // Times are typed in more ways than the resource takes.
    Ok(ReplayFrom { timestamp: Some(time.to_string()), ..nowhere })
}

/// Puts `replay` in the place of whatever the resource asks for.
pub fn ask(view: &MaterializedView, replay: &Replay) -> Result<Decision, String> {
    let done = view.status.iter().flat_map(|status| &status.replays).find(|done| done.id == replay.id);
    if let Some(done) = done {
        return Err(format!(
            "the replay {} was accepted at {} as revision {}, and an id acts once; choose another --id",
            done.id, done.accepted_at.0, done.revision
        ));
    }
    // A replay has text keys only, so it serialises.
    let mut wanted = serde_json::to_value(replay).unwrap_or_default();
    let before = view.spec.replay.as_ref().map(|before| serde_json::to_value(&before.from).unwrap_or_default());
    if let (Some(Value::Object(before)), Some(from)) = (before, wanted["from"].as_object_mut()) {
        // What is merged adds to what is there: another choice has to be taken out.
        for (choice, _) in before {
            from.entry(choice).or_insert(Value::Null);
        }
    }
    Ok(merge(&view.name_any(), json!({"spec": {"replay": wanted}})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::view;

    #[test]
    fn a_beginning_is_read_as_people_type_it() {
        for (text, from) in [
            ("earliest", json!({"earliest": {}})),
            ("latest", json!({"latest": {}})),
            ("1h30m", json!({"duration": "1h30m"})),
            ("2026-01-31T00:00:00Z", json!({"timestamp": "2026-01-31T00:00:00Z"})),
            ("2026-01-31 09:00+09:00", json!({"timestamp": "2026-01-31T00:00:00Z"})),
        ] {
            assert_eq!(serde_json::to_value(parse_from(text).expect(text)).expect("JSON"), from, "{text}");
        }
        for text in ["", "now", "Earliest", "24", "2026-01-31", "2026-01-31T00:00:00", "어제"] {
            let refused = parse_from(text).expect_err(text);
            assert!(refused.contains("such as 24h"), "{refused}");
        }
    }

    fn replay(from: &str) -> Replay {
        let from = parse_from(from).expect("a beginning");
        Replay { id: "after-bugfix".into(), from, accept_truncation: false, discard_history: true }
    }

    #[test]
    fn another_beginning_takes_the_place_of_the_one_before() {
        let mut view = view(Value::Null);
        let decision = ask(&view, &replay("24h")).expect("a new id");
        let wanted = json!({
            "id": "after-bugfix", "from": {"duration": "24h"}, "acceptTruncation": false, "discardHistory": true,
        });
        assert_eq!(decision.patch, json!({"spec": {"replay": wanted}}));
        for before in ["earliest", "1h"] {
            view.spec.replay = Some(Replay { id: "before".into(), ..replay(before) });
            let decision = ask(&view, &replay("latest")).expect("a new id");
            let choice = if before == "1h" { "duration" } else { before };
            assert_eq!(decision.patch["spec"]["replay"]["from"], json!({"latest": {}, choice: null}));
        }
        // The same choice with another value is no other choice.
        let decision = ask(&view, &replay("2h")).expect("a new id");
        assert_eq!(decision.patch["spec"]["replay"]["from"], json!({"duration": "2h"}));
    }

    #[test]
    fn an_id_that_has_acted_is_refused() {
        let accepted = json!({"id": "after-bugfix", "revision": "5e6f7a8b", "acceptedAt": "2026-01-02T00:00:00Z"});
        let refused = ask(&view(json!({"replays": [accepted]})), &replay("latest")).expect_err("it has acted");
        assert!(refused.contains("accepted at 2026-01-02T00:00:00Z as revision 5e6f7a8b"), "{refused}");
    }
}
