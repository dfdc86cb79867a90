//! What a person decides of a view, as the API server and as kubectl take it.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use millrace_crds::{MaterializedView, Request, RolloutStatus, Verb};
use serde_json::{Value, json};

/// A change of a view's resource.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// It is merged into the resource.
    pub patch: Value,
    /// What kubectl would be told, after the namespace.
    pub kubectl: Vec<String>,
}

/// A request with the name that was given for it, or with one that nobody has used.
pub fn request(view: &MaterializedView, verb: Verb, id: Option<String>, now: Timestamp) -> Result<Request, String> {
    let id = id.unwrap_or_else(|| format!("{}-{}", verb.name(), now.strftime("%Y%m%dt%H%M%Sz")));
    if view.annotations().get(&verb.annotation()) == Some(&id) {
        return Err(format!(
            "{id} was asked for already, and a name acts once; give this {} another --id",
            verb.name()
        ));
    }
    Ok(Request { verb, id })
}

/// The request that lets what is built go live.
pub fn promotion(view: &MaterializedView) -> Result<Request, String> {
    let status = format!("`millrace -n {} status {}`", view.namespace().unwrap_or_default(), view.name_any());
    match view.status.as_ref().and_then(|status| status.rollout.as_ref()) {
        Some(RolloutStatus { promote: Some(id), .. }) => Ok(Request { verb: Verb::Promote, id: id.clone() }),
        Some(RolloutStatus { revision, phase, .. }) => Err(format!(
            "the rollout of revision {revision} ({phase:?}) waits for no promotion; {status} shows what it \
             waits for"
        )),
        None => Err(format!("nothing is rolled out yet; {status} shows why")),
    }
}

pub fn annotate(name: &str, request: &Request) -> Decision {
    let (annotation, id) = (request.verb.annotation(), &request.id);
    let words = ["annotate", "--overwrite", "mv", name, &format!("{annotation}={id}")];
    let kubectl = words.map(str::to_owned).to_vec();
    Decision { patch: json!({"metadata": {"annotations": {annotation: id}}}), kubectl }
}

pub fn pause(name: &str, paused: bool) -> Decision {
    merge(name, json!({"spec": {"rollout": {"paused": paused}}}))
}

pub fn merge(name: &str, patch: Value) -> Decision {
    let words = ["patch", "mv", name, "--type", "merge", "-p", &patch.to_string()];
    Decision { kubectl: words.map(str::to_owned).to_vec(), patch }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{NOW, view};

    #[test]
    fn a_request_has_the_name_that_was_given_or_a_new_one_and_none_is_used_twice() {
        let now = NOW.parse().expect("a time");
        let mut view = view(Value::Null);
        let abort = request(&view, Verb::Abort, None, now).expect("a new name");
        assert_eq!(abort.id, "abort-20260103t000000z");
        assert!(millrace_crds::request::is_id(&abort.id));
        view.annotations_mut().insert(Verb::Abort.annotation(), abort.id.clone());
        let again = request(&view, Verb::Abort, None, now).expect_err("it was used");
        assert!(again.contains("a name acts once"), "{again}");
        let retry = request(&view, Verb::Retry, Some(abort.id.clone()), now).expect("of another verb");
        assert_eq!(retry, Request { verb: Verb::Retry, id: abort.id });
    }

    #[test]
    fn a_promotion_names_what_the_status_says() {
        let rollout = |promote: Value| json!({"revision": "5e6f7a8b", "phase": "CatchingUp", "promote": promote});
        let promote = promotion(&view(json!({"rollout": rollout(json!("5e6f7a8b.2"))}))).expect("it waits");
        assert_eq!(promote, Request { verb: Verb::Promote, id: "5e6f7a8b.2".into() });
        let refused = promotion(&view(json!({"rollout": rollout(Value::Null)}))).expect_err("it was promoted");
        assert!(refused.contains("revision 5e6f7a8b (CatchingUp) waits for no promotion"), "{refused}");
        let refused = promotion(&view(Value::Null)).expect_err("there is no rollout");
        assert_eq!(refused, "nothing is rolled out yet; `millrace -n shop status user-view` shows why");
    }

    #[test]
    fn a_decision_is_the_same_for_the_api_server_and_for_kubectl() {
        let decision = annotate("user-view", &Request { verb: Verb::Rollback, id: "it-was-slow".into() });
        assert_eq!(decision.patch, json!({"metadata": {"annotations": {"millrace.dev/rollback": "it-was-slow"}}}));
        assert_eq!(decision.kubectl.join(" "), "annotate --overwrite mv user-view millrace.dev/rollback=it-was-slow");
        let paused = pause("user-view", true);
        assert_eq!(paused.patch, json!({"spec": {"rollout": {"paused": true}}}));
        assert_eq!(
            paused.kubectl.join(" "),
            r#"patch mv user-view --type merge -p {"spec":{"rollout":{"paused":true}}}"#
        );
    }
}
