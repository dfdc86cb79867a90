//! The kind cluster: made where there is none, mended where a restart stopped it, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::checkout::{CLUSTER, Checkout};
use crate::engine::docker;
use crate::freezer;
use crate::invocation::Invocation;
use crate::kind_config::KindConfig;
use crate::programs::Programs;
use crate::stage::Stage;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub container: String,
    pub running: bool,
}

impl Node {
    pub fn is_control_plane(&self) -> bool {
        self.name.ends_with("-control-plane")
    }

    pub fn run(&self, command: &[&str]) -> Invocation {
        docker().args(["exec", &self.name]).args(command)
    }
}

/// What has to happen to the nodes that are there.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    Create,
    /// Half a cluster: its creation was interrupted, or somebody removed a node.
    Recreate,
    Start(Vec<String>),
    Keep,
}

fn course(nodes: &[Node], expected: usize) -> Course {
    let stopped: Vec<String> = nodes.iter().filter(|node| !node.running).map(|node| node.name.clone()).collect();
    match nodes.len() {
        0 => Course::Create,
        count if count != expected => Course::Recreate,
        _ if stopped.is_empty() => Course::Keep,
        _ => Course::Start(stopped),
    }
}

pub fn nodes() -> Result<Vec<Node>> {
    let text = docker()
        .args(["ps", "--all", "--no-trunc", "--filter", &format!("label=io.x-k8s.kind.cluster={CLUSTER}")])
        .args(["--format", "{{.Names}} {{.ID}} {{.State}}"])
        .output()
        .context("cannot list the cluster's nodes")?;
    let mut nodes: Vec<Node> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(Node {
                name: words.next()?.to_owned(),
                container: words.next()?.to_owned(),
                running: words.next()? == "running",
            })
        })
        .collect();
    nodes.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(nodes)
}

pub fn ensure(checkout: &Checkout, programs: &Programs, node_image: &str) -> Result<()> {
    let mend = "`cargo xtask down`, then `cargo xtask up`; when a node will not start, \
                `docker logs millrace-control-plane` and the engine's log say why";
    Stage::run(checkout, "kind cluster", mend, |stage| {
        let config = KindConfig::read(checkout)?;
        let mut end = "kept";
        match course(&nodes()?, config.nodes.len()) {
            Course::Create => {
                create(checkout, stage, programs, &config, node_image)?;
                end = "created";
            }
            Course::Recreate => {
                stage.say("only a part of the cluster is there: making it anew");
                remove(stage, programs)?;
                create(checkout, stage, programs, &config, node_image)?;
                end = "created";
            }
            Course::Start(stopped) => {
                stage.say(&format!("starting {}", stopped.join(" ")));
                docker().arg("start").args(&stopped).run_logged(stage.log(), |_| {})?;
                end = "started again";
            }
            Course::Keep => {}
        }
        check_ports(&config)?;
        wait_until_ready(stage, programs)?;
        if end == "started again" {
            wait_until_reporting(stage, programs, config.nodes.len())?;
        }
        let age = if end != "created" && is_of_an_older_image(node_image)? {
            "; made from an older node image, `cargo xtask down` first renews it"
        } else {
            ""
        };
        Ok(((), format!("{} nodes {end}{age}", config.nodes.len())))
    })
}

fn create(
    checkout: &Checkout,
    stage: &Stage,
    programs: &Programs,
    config: &KindConfig,
    node_image: &str,
) -> Result<()> {
    config.check_ports_are_free()?;
    stage.say(&format!("creating {} nodes from {node_image}", config.nodes.len()));
    programs
        .kind()
        .args(["create", "cluster", "--name", CLUSTER, "--image", node_image, "--wait", "180s", "--config"])
        .arg(checkout.path("kind-config.yaml"))
        .limit(Duration::from_secs(600))
        .run_logged(stage.log(), |_| {})
}

fn wait_until_ready(stage: &Stage, programs: &Programs) -> Result<()> {
    let answers = || {
        programs
            .kubectl()
            .args(["get", "--raw", "/readyz", "--request-timeout=5s"])
            .limit(Duration::from_secs(10))
            .succeeds()
    };
    if !answers() {
        stage.say("waiting for the API server");
        // The context may be gone, or written into another kubeconfig.
        programs.kind().args(["export", "kubeconfig", "--name", CLUSTER]).run_logged(stage.log(), |_| {})?;
        let deadline = Instant::now() + Duration::from_secs(180);
        while !answers() {
            if Instant::now() > deadline {
                bail!("the API server does not answer within 180 s");
            }
            thread::sleep(Duration::from_millis(500));
        }
    }
    stage.say("waiting for the nodes");
    programs
        .kubectl()
        .args(["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s"])
        .run_logged(stage.log(), |_| {})
}

/// Until every node renewed its lease: `Ready` may be what was true before the nodes were stopped.
fn wait_until_reporting(stage: &Stage, programs: &Programs, expected: usize) -> Result<()> {
    stage.say("waiting for every node to report");
    let leases = || -> Result<BTreeSet<String>> {
        let renewed = "jsonpath={range .items[*]}{.metadata.name} {.spec.renewTime}{\"\\n\"}{end}";
        let text = programs
            .kubectl()
            .args(["--namespace", "kube-node-lease", "get", "leases", "--output", renewed])
            .output()?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    let before = leases()?;
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let renewed = leases()?.difference(&before).count();
        if renewed >= expected {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("only {renewed} of {expected} nodes report within 120 s");
        }
        thread::sleep(Duration::from_millis(500));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortBinding {
    host_port: String,
}

/// Ports are fixed when a node is made: a cluster older than a mapping can never serve it.
fn check_ports(config: &KindConfig) -> Result<()> {
    let control_plane = format!("{CLUSTER}-control-plane");
    let text = docker()
        .args(["inspect", "--format", "{{json .HostConfig.PortBindings}}", &control_plane])
        .output()
        .context("cannot read the control plane's ports")?;
    let bindings: BTreeMap<String, Vec<PortBinding>> =
        serde_json::from_str(&text).context("the engine describes the control plane's ports in an unknown way")?;
    for mapping in config.port_mappings() {
        let wanted = mapping.host_port.to_string();
        let bound = bindings
            .get(&format!("{}/tcp", mapping.container_port))
            .is_some_and(|bindings| bindings.iter().any(|binding| binding.host_port == wanted));
        if !bound {
            bail!(
                "host port {wanted} of kind-config.yaml is not mapped: the cluster was made before; \
                 `cargo xtask down`, then `cargo xtask up` makes it anew (its data is lost)"
            );
        }
    }
    Ok(())
}

fn is_of_an_older_image(node_image: &str) -> Result<bool> {
    let control_plane = format!("{CLUSTER}-control-plane");
    let used = docker().args(["inspect", "--format", "{{.Image}}", &control_plane]).output()?;
    // The image may have been removed since: then there is nothing newer to offer.
    let newest = docker().args(["image", "inspect", "--format", "{{.Id}}", node_image]).output();
    Ok(newest.is_ok_and(|newest| newest.trim() != used.trim()))
}

/// Removes the cluster and its kubeconfig context, and nothing else.
pub fn delete(checkout: &Checkout, programs: &Programs) -> Result<()> {
    let mend = "`docker ps -a --filter label=io.x-k8s.kind.cluster=millrace` lists what is left; \
                a node that cannot be killed goes away when the Docker engine is restarted";
    Stage::run(checkout, "removing the cluster", mend, |stage| {
        let count = nodes()?.len();
        remove(stage, programs)?;
        Ok(((), if count == 0 { "there was none".into() } else { format!("{count} nodes") }))
    })
}

fn remove(stage: &Stage, programs: &Programs) -> Result<()> {
    let delete = |seconds| {
        programs
            .kind()
            .args(["delete", "cluster", "--name", CLUSTER])
            .limit(Duration::from_secs(seconds))
            .run_logged(stage.log(), |_| {})
    };
    if delete(60).is_ok() && nodes()?.is_empty() {
        return Ok(());
    }
    let containers: Vec<String> = nodes()?.into_iter().map(|node| node.container).collect();
    let thawed = freezer::thaw(&containers)?;
    stage.say(&format!("a node would not end; {thawed} frozen pods thawed, once more"));
    delete(120)?;
    let left = nodes()?;
    if !left.is_empty() {
        bail!("{} nodes are still there", left.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, running: bool) -> Node {
        Node { name: name.into(), container: "c".into(), running }
    }

    #[test]
    fn half_a_cluster_is_made_anew_and_a_stopped_one_is_started() {
        let whole = [node("a", true), node("b", true)];
        assert_eq!(course(&[], 2), Course::Create);
        assert_eq!(course(&whole[..1], 2), Course::Recreate);
        assert_eq!(course(&whole, 2), Course::Keep);
        assert_eq!(course(&[node("a", true), node("b", false)], 2), Course::Start(vec!["b".into()]));
    }
}
