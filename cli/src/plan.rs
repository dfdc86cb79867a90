//! `millrace plan`: asks the operator what a manifest would do, shows the answer, and takes the question back.

use crate::{cluster::Cluster, failure::Failure, figures::duration, name::parse_name, output::say};
use clap::Args;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, core::NamespaceResourceScope};
use millrace_crds::{AppVerdict, RolloutPlan, RolloutPlanStatus, StreamAppPlan, Verdict, duration::parse_duration};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, fs, io, path::PathBuf, time::Duration};
use tokio::time::{sleep, timeout};

#[derive(Args)]
pub struct PlanOptions {
    /// The manifest, as kubectl apply takes it; - reads it from the standard input.
    #[arg(short, long, value_name = "FILE")]
    filename: PathBuf,
    /// Wait no longer than this for the operator's answer (exit code 3).
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_duration)]
    timeout: Duration,
}

pub async fn plan(cluster: &Cluster, options: &PlanOptions) -> Result<(), Failure> {
    let text = match options.filename.to_str() {
        Some("-") => io::read_to_string(io::stdin()),
        Some(_) | None => fs::read_to_string(&options.filename),
    };
    let file = options.filename.display();
    let text = text.map_err(|error| Failure::Refused(format!("{file} cannot be read: {error}")))?;
    let asked = resources(&text).map_err(|sentence| Failure::Refused(format!("{file}: {sentence}")))?;
    let mut refused = Vec::new();
    for resource in asked {
        let (status, is_refused) = match resource.kind {
            Kind::View => {
                let answered: RolloutPlan =
                    ask(cluster, &resource, options.timeout, |answer: &RolloutPlan| answer.verdict().is_some()).await?;
                let refused = answered.verdict() == Some(Verdict::Refused);
                (answered.status, refused)
            }
            Kind::App => {
                let answered: StreamAppPlan =
                    ask(cluster, &resource, options.timeout, |answer: &StreamAppPlan| answer.verdict().is_some())
                        .await?;
                let refused = answered.verdict() == Some(AppVerdict::Refused);
                (answered.status, refused)
            }
        };
        say(&status.and_then(|status: RolloutPlanStatus| status.text).unwrap_or_default())?;
        if is_refused {
            refused.push(resource.name);
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(format!("nothing would be built for {}: the page says why", refused.join(", ")))),
    }
}

/// What a manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    View,
    App,
}

/// A MaterializedView or a StreamApp of a manifest.
#[derive(Debug, PartialEq)]
struct Asked {
    kind: Kind,
    name: String,
    /// The namespace that the manifest says, if it does.
    namespace: Option<String>,
    spec: Value,
}

/// Asks, waits for the answer, and takes the question back. One that is not answered stays, to be looked at, until it goes
/// by itself.
async fn ask<Q>(
    cluster: &Cluster,
    asked: &Asked,
    patience: Duration,
    is_answered: impl Fn(&Q) -> bool,
) -> Result<Q, Failure>
where
    Q: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let name = format!("{}-{}", asked.name, Timestamp::now().as_millisecond());
    let (about, short) = match asked.kind {
        Kind::View => ("view", "mvplan"),
        Kind::App => ("app", "sappplan"),
    };
    let question = json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": Q::kind(&()),
        "metadata": {"name": name},
        "spec": {about: asked.name, "spec": asked.spec},
    });
    let questions = cluster.questions::<Q>(asked.namespace.as_deref())?;
    questions.ask(&question).await?;
    let answer = timeout(patience, async {
        loop {
            match questions.look(&name).await {
                Ok(answer) if is_answered(&answer) => return Ok(answer),
                Err(failure) if !failure.passes() => return Err(failure),
                Ok(_) | Err(_) => {}
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    let answered = answer.await.unwrap_or_else(|_| {
        Err(Failure::TimedOut(format!(
            "no answer after {}; is the operator running, and does it reach Kafka and Postgres? `{}` says what it waits for",
            duration(patience),
            questions.kubectl(["get", short, name.as_str(), "-o", "yaml"])
        )))
    });
    if answered.is_ok() {
        // One that stays goes by itself.
        let _ = questions.forget(&name).await;
    }
    answered
}

/// The MaterializedViews and StreamApps among the documents of a manifest.
fn resources(text: &str) -> Result<Vec<Asked>, String> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).map_err(|error| format!("it is no YAML: {error}"))?;
        let (kind, kind_name) = match value["kind"].as_str() {
            Some(name @ "MaterializedView") => (Kind::View, name),
            Some(name @ "StreamApp") => (Kind::App, name),
            Some(_) | None => continue,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = text(&value["metadata"]["name"]).ok_or(format!("a {kind_name} has no metadata.name; write one"))?;
        let namespace = text(&value["metadata"]["namespace"]);
        for (field, name) in [("name", Some(&name)), ("namespace", namespace.as_ref())] {
            let Some(name) = name else { continue };
            parse_name(name).map_err(|what| format!("metadata.{field} is '{name}'; {what}"))?;
        }
        found.push(Asked { kind, name, namespace, spec: value["spec"].clone() });
    }
    if found.is_empty() {
        return Err("it has no MaterializedView and no StreamApp; name the file that kubectl apply is given".into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_of_a_manifest_are_found_among_its_documents() {
        let text = "kind: Namespace\nmetadata: {name: shop}\n---\nkind: MaterializedView\nmetadata: {name: user-view, \
                    namespace: shop}\nspec: {query: SELECT 이름 FROM users}\n---\nkind: MaterializedView\nmetadata: \
                    {name: other}\nspec: {}\n---\nkind: StreamApp\nmetadata: {name: inventory}\nspec: {}\n";
        let found = resources(text).expect("two views and an app");
        let spec = json!({"query": "SELECT 이름 FROM users"});
        assert_eq!(
            found[0],
            Asked { kind: Kind::View, name: "user-view".into(), namespace: Some("shop".into()), spec }
        );
        assert_eq!((found[1].name.as_str(), found[1].namespace.as_deref(), found.len()), ("other", None, 3));
        assert_eq!((found[2].kind, found[2].name.as_str()), (Kind::App, "inventory"));
    }

    #[test]
    fn offsets_by_the_numbers_of_partitions_are_read_as_kubectl_reads_them() {
        let text = "kind: MaterializedView\nmetadata: {name: user-view}\n\
                    spec: {replay: {id: again, from: {offsets: {users: {0: 1200, 1: 1180}}}}}\n";
        let found = resources(text).expect("a view");
        assert_eq!(found[0].spec["replay"]["from"]["offsets"], json!({"users": {"0": 1200, "1": 1180}}));
    }

    #[test]
    fn a_manifest_without_a_view_is_refused_with_a_sentence() {
        for (text, said) in [
            ("kind: Namespace\n", "it has no MaterializedView"),
            ("", "it has no MaterializedView"),
            ("kind: MaterializedView\nspec: {}\n", "no metadata.name"),
            ("kind: [", "it is no YAML"),
            ("kind: MaterializedView\nmetadata: {name: 사용자}\n", "metadata.name is '사용자'; write the name alone"),
            (
                "kind: MaterializedView\nmetadata: {name: user-view, namespace: a/b}\n",
                "metadata.namespace is 'a/b'; write the name alone",
            ),
        ] {
            let refused = resources(text).expect_err(text);
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }
}
