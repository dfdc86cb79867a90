//! Faults of a real cluster: processes killed, nodes stopped and started.

use crate::{
    shell::{eventually, kubectl, run},
    view::View,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const SYSTEM: &str = "millrace-system";
const FAULT: &str = "MILLRACE_FAULT";
/// Exit codes of a container that has aborted. Its first process is spared the signal, as the kernel spares every init;
/// libc then ends it by an instruction that faults: SIGSEGV on x86-64, SIGTRAP on ARM.
const ABORTED: [i64; 3] = [134, 139, 133];

/// The node that a pod runs on; with kind this is also the name of its container.
pub fn node_of(namespace: &str, pod: &str) -> Result<String> {
    let node = kubectl(&["-n", namespace, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}"])?;
    ensure!(!node.is_empty(), "pod {pod} has no node yet");
    Ok(node)
}

/// Sends `signal` to every process on `node` whose command line matches `pattern`. Nobody to hit is an error.
pub fn signal(node: &str, signal: &str, pattern: &str) -> Result<()> {
    run("docker", &["exec", node, "pkill", &format!("-{signal}"), "-f", pattern]).map(drop)
}

/// Kills one worker process of the view with −9, whichever `choice` picks; the kubelet starts it again.
pub fn kill_worker(view: &View, choice: usize) -> Result<String> {
    let pods = view.pods()?;
    ensure!(!pods.is_empty(), "no worker of {} runs", view.name);
    let pod = &pods[choice % pods.len()];
    kill_pod(&view.namespace, pod)?;
    Ok(pod.clone())
}

/// Kills the process of a pod with −9.
fn kill_pod(namespace: &str, pod: &str) -> Result<()> {
    let node = node_of(namespace, pod)?;
    let path = "jsonpath={.status.containerStatuses[0].containerID}";
    let id = kubectl(&["-n", namespace, "get", "pod", pod, "-o", path])?;
    let id = id.trim_start_matches("containerd://");
    ensure!(!id.is_empty(), "pod {pod} has no container yet");
    // Every node has containerd's own client; not every node image has crictl. Its lines are: container, process, state.
    let tasks = run("docker", &["exec", &node, "ctr", "--namespace", "k8s.io", "task", "ls"])?;
    let pid = tasks
        .lines()
        .find_map(|line| line.strip_prefix(id)?.split_whitespace().next())
        .with_context(|| format!("no process of pod {pod} on {node}"))?;
    run("docker", &["exec", &node, "kill", "-9", pid]).map(drop)
}

/// Kills the operator that leads with −9; another one leads soon.
pub fn kill_leader() -> Result<()> {
    let path = "jsonpath={.spec.holderIdentity}";
    let leader = kubectl(&["-n", SYSTEM, "get", "lease", "millrace-operator", "-o", path])?;
    kill_pod(SYSTEM, &leader)?;
    // A pod that is killed again and again is started ever later; another one is not.
    kubectl(&["-n", SYSTEM, "delete", "pod", &leader, "--grace-period=0", "--force"]).map(drop)
}

/// Does something terrible again and again, until it is ended.
pub struct Storm {
    stop: Arc<AtomicBool>,
    strikes: JoinHandle<usize>,
}

impl Storm {
    /// Every so often. What cannot be done is tried again: whoever is to be killed may be dead still.
    pub fn begin(every: Duration, mut strike: impl FnMut() -> Result<()> + Send + 'static) -> Storm {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let strikes = thread::spawn(move || {
            let mut strikes = 0;
            while !stopped.load(Ordering::Relaxed) {
                strikes += usize::from(strike().is_ok());
                thread::sleep(every);
            }
            strikes
        });
        Storm { stop, strikes }
    }

    /// How often it has struck.
    pub fn end(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.strikes.join().map_err(|_| anyhow::Error::msg("the storm ended by itself"))
    }
}

/// Has workers of the view's live revision end at `fault`, for instance `after_rows:3`; with none they are well again.
/// The Deployment starts them anew, a few at a time. The operator leaves the variable alone: an applied manifest takes
/// away only what it has once set itself.
pub fn set_fault(view: &View, fault: Option<&str>) -> Result<()> {
    let deployment = format!("deployment/{}-{}", view.name, view.live_revision()?);
    let variable = fault.map_or_else(|| format!("{FAULT}-"), |fault| format!("{FAULT}={fault}"));
    kubectl(&["-n", &view.namespace, "set", "env", &deployment, &variable]).map(drop)
}

/// Fails unless a worker of the view that was started with `fault` has ended there.
pub fn ended_at(view: &View, fault: &str) -> Result<()> {
    let selector = format!("millrace.dev/view={}", view.name);
    let text = kubectl(&["-n", &view.namespace, "get", "pods", "-l", &selector, "-o", "json"])?;
    let list: Value = serde_json::from_str(&text)?;
    let (mut started, mut codes) = (0, Vec::<i64>::new());
    for pod in list["items"].as_array().into_iter().flatten() {
        let mut env = pod["spec"]["containers"][0]["env"].as_array().into_iter().flatten();
        if env.any(|variable| variable["name"] == FAULT && variable["value"] == fault) {
            started += 1;
            for state in ["state", "lastState"] {
                codes.extend(pod["status"]["containerStatuses"][0][state]["terminated"]["exitCode"].as_i64());
            }
        }
    }
    let aborted = codes.iter().any(|code| ABORTED.contains(code));
    ensure!(aborted, "{started} workers were started with {fault}, and have ended with {codes:?}");
    Ok(())
}

/// The node that runs Postgres.
pub fn postgres_node() -> Result<String> {
    node_of("millrace-system", "postgres-0")
}

/// A worker node on which Postgres does not run.
pub fn spare_node() -> Result<String> {
    let postgres = postgres_node()?;
    let nodes = kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"])?;
    nodes
        .split_whitespace()
        .find(|node| node.contains("worker") && **node != postgres)
        .map(str::to_owned)
        .context("a worker node without Postgres")
}

/// Stops a node as a lost machine would stop.
pub fn stop_node(node: &str) -> Result<()> {
    run("docker", &["kill", node]).map(drop)
}

pub fn start_node(node: &str) -> Result<()> {
    run("docker", &["start", node])?;
    eventually(&format!("node {node} is Ready"), Duration::from_secs(180), || {
        let ready = kubectl(&["get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"])?;
        ensure!(ready == "True", "Ready is {ready}");
        Ok(())
    })
}
