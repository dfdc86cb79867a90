//! `millrace plan`: asks the operator what a manifest would do, shows the answer, and takes the question back.

use crate::{cluster::Cluster, failure::Failure, figures::duration, name::parse_name, output::say};
use clap::Args;
use k8s_openapi::jiff::Timestamp;
use millrace_crds::{RolloutPlan, Verdict, duration::parse_duration};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fs, io, path::PathBuf, time::Duration};
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
    let views = views(&text).map_err(|sentence| Failure::Refused(format!("{file}: {sentence}")))?;
    let mut refused = Vec::new();
    for view in views {
        let answered = ask(cluster, &view, options.timeout).await?;
        let page = answered.status.as_ref().and_then(|status| status.text.clone()).unwrap_or_default();
        say(&page)?;
        if answered.verdict() == Some(Verdict::Refused) {
            refused.push(view.name);
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(format!("nothing would be built for {}: the page says why", refused.join(", ")))),
    }
}

/// A MaterializedView of a manifest.
#[derive(Debug, PartialEq)]
struct View {
    name: String,
    /// The namespace that the manifest says, if it does.
    namespace: Option<String>,
    spec: Value,
}

/// Asks, waits for the answer, and takes the question back. One that is not answered stays, to be looked at, until it goes
/// by itself.
async fn ask(cluster: &Cluster, view: &View, patience: Duration) -> Result<RolloutPlan, Failure> {
    let name = format!("{}-{}", view.name, Timestamp::now().as_millisecond());
    let question = json!({
        "apiVersion": "millrace.dev/v1alpha1",
        "kind": "RolloutPlan",
        "metadata": {"name": name},
        "spec": {"view": view.name, "spec": view.spec},
    });
    let questions = cluster.questions(view.namespace.as_deref())?;
    questions.ask(&question).await?;
    let answer = timeout(patience, async {
        loop {
            match questions.look(&name).await {
                Ok(asked) if asked.verdict().is_some() => return Ok(asked),
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
            questions.kubectl(["get", "mvplan", name.as_str(), "-o", "yaml"])
        )))
    });
    if answered.is_ok() {
        // One that stays goes by itself.
        let _ = questions.forget(&name).await;
    }
    answered
}

/// The MaterializedViews among the documents of a manifest.
fn views(text: &str) -> Result<Vec<View>, String> {
    let mut views = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).map_err(|error| format!("it is no YAML: {error}"))?;
        if value["kind"] != "MaterializedView" {
            continue;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = text(&value["metadata"]["name"]).ok_or("a MaterializedView has no metadata.name; write one")?;
        let namespace = text(&value["metadata"]["namespace"]);
        for (field, name) in [("name", Some(&name)), ("namespace", namespace.as_ref())] {
            let Some(name) = name else { continue };
            parse_name(name).map_err(|what| format!("metadata.{field} is '{name}'; {what}"))?;
        }
        views.push(View { name, namespace, spec: value["spec"].clone() });
    }
    if views.is_empty() {
        return Err("it has no MaterializedView; name the file that kubectl apply is given".into());
    }
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_of_a_manifest_are_found_among_its_documents() {
        let text = "kind: Namespace\nmetadata: {name: shop}\n---\nkind: MaterializedView\nmetadata: {name: user-view, \
                    namespace: shop}\nspec: {query: SELECT 이름 FROM users}\n---\nkind: MaterializedView\nmetadata: \
                    {name: other}\nspec: {}\n";
        let found = views(text).expect("two views");
        let spec = json!({"query": "SELECT 이름 FROM users"});
        assert_eq!(found[0], View { name: "user-view".into(), namespace: Some("shop".into()), spec });
        assert_eq!((found[1].name.as_str(), found[1].namespace.as_deref(), found.len()), ("other", None, 2));
    }

    #[test]
    fn offsets_by_the_numbers_of_partitions_are_read_as_kubectl_reads_them() {
        let text = "kind: MaterializedView\nmetadata: {name: user-view}\n\
                    spec: {replay: {id: again, from: {offsets: {users: {0: 1200, 1: 1180}}}}}\n";
        let found = views(text).expect("a view");
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
            let refused = views(text).expect_err(text);
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }
}
