//! Scripts played on the cluster, as a person would: with kubectl.

use crate::{
    chaos,
    shell::{CONTEXT, eventually, kubectl},
    view::View,
};
use anyhow::{Context, Result, ensure};
use millrace_test_support::script::{Script, Step, is_allowed};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(180);

/// Plays the script on a live view whose queries are `queries`, and holds what was seen to what may be seen.
pub fn play(script: &Script, view: &View, queries: &[String]) -> Result<()> {
    let watched = Watched::begin(view)?;
    let played = script.steps.iter().enumerate().try_for_each(|(number, step)| {
        take(*step, view, queries, number).with_context(|| format!("{}: step {number}, {step:?}", script.name))
    });
    // What is kept for a moment goes.
    thread::sleep(Duration::from_secs(3));
    let phases = watched.end()?;
    played?;
    ensure!(phases.len() > 1, "{}: nothing was seen to happen", script.name);
    for pair in phases.windows(2) {
        let (from, to) = (&pair[0].1, &pair[1].1);
        ensure!(
            is_allowed(script.name, from, to),
            "{}: {from} -> {to} was seen, which the simulated world has never done; all that was seen: {phases:?}",
            script.name
        );
    }
    Ok(())
}

fn take(step: Step, view: &View, queries: &[String], number: usize) -> Result<()> {
    let rollout = |field: &str| view.patch(&format!(r#"{{"spec":{{"rollout":{{{field}}}}}}}"#));
    match step {
        Step::Query(query) => view.patch(&serde_json::json!({"spec": {"query": queries[query]}}).to_string()),
        Step::Replay => view.patch(&format!(r#"{{"spec":{{"replay":{{"id":"step-{number}-{}"}}}}}}"#, stamp()?)),
        Step::Manual(true) => rollout(r#""promotion":"Manual""#),
        Step::Manual(false) => rollout(r#""promotion":"Automatic""#),
        Step::Paused(paused) => rollout(&format!(r#""paused":{paused}"#)),
        Step::Promote => annotate(view, "promote", &view.get("{.status.rollout.revision}")?),
        Step::Abort => annotate(view, "abort", &stamp()?),
        Step::Retry => annotate(view, "retry", &stamp()?),
        Step::Rollback => annotate(view, "rollback", &stamp()?),
        // The one that was killed last leads until its lease ends.
        Step::KillOperator => eventually("an operator leads and is killed", LIMIT, chaos::kill_leader),
        // Between two revisions there may be nobody to kill.
        Step::KillWorkers => chaos::kill_worker(view, number).map(drop).or(Ok(())),
        Step::Until(reason) => until(view, reason),
    }
}

fn annotate(view: &View, verb: &str, value: &str) -> Result<()> {
    view.annotate(&format!("millrace.dev/{verb}={value}"))
}

/// A name that was not used before.
fn stamp() -> Result<String> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis().to_string())
}

fn until(view: &View, reason: &str) -> Result<()> {
    eventually(&format!("Ready of {} has the reason {reason}", view.name), LIMIT, || {
        let text = kubectl(&["-n", &view.namespace, "get", "mv", &view.name, "-o", "json"])?;
        let object: serde_json::Value = serde_json::from_str(&text)?;
        let (status, generation) = (&object["status"], &object["metadata"]["generation"]);
        let ready = status["conditions"].as_array().into_iter().flatten().find(|found| found["type"] == "Ready");
        let found = ready.map(|ready| (&ready["reason"], &ready["observedGeneration"]));
        ensure!(
            found.is_some_and(|(found, of)| found == reason && of == generation),
            "found {found:?} at generation {generation}: {status}"
        );
        Ok(())
    })
}

/// Everybody who ever looks at the status: revision and phase of each one that was written.
struct Watched {
    kubectl: Child,
    lines: JoinHandle<Vec<(String, String)>>,
}

impl Watched {
    fn begin(view: &View) -> Result<Watched> {
        let path = r#"jsonpath={.status.rollout.revision} {.status.rollout.phase}{"\n"}"#;
        let mut kubectl = Command::new("kubectl")
            .args(["--context", CONTEXT, "-n", &view.namespace, "get", "mv", &view.name, "--watch", "-o", path])
            .stdout(Stdio::piped())
            .spawn()
            .context("kubectl is not on PATH")?;
        let output = kubectl.stdout.take().context("kubectl has a standard output")?;
        let lines = thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let pairs = lines.filter_map(|line| {
                let (revision, phase) = line.split_once(' ')?;
                (!phase.is_empty()).then(|| (revision.to_owned(), phase.to_owned()))
            });
            let mut pairs: Vec<_> = pairs.collect();
            pairs.dedup();
            pairs
        });
        Ok(Watched { kubectl, lines })
    }

    fn end(mut self) -> Result<Vec<(String, String)>> {
        self.kubectl.kill()?;
        self.kubectl.wait()?;
        self.lines.join().map_err(|_| anyhow::Error::msg("the watch was not read"))
    }
}
