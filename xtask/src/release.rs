//! The Helm release, the namespace of the examples and the services of the shop: installed, then waited for.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::binaries::DEMO;
use crate::checkout::{Checkout, RELEASE, SYSTEM_NAMESPACE};
use crate::host;
use crate::images::Image;
use crate::programs::Programs;
use crate::shop::{self, SERVICES};
use crate::stage::Stage;
use crate::workload::{Workload, parse_workloads};

const PATIENCE: Duration = Duration::from_secs(420);

pub fn ensure(checkout: &Checkout, programs: &Programs, images: &[Image]) -> Result<()> {
    let mend = "`helm -n millrace-system status millrace` and the log name the object that was refused; \
                a release stuck in `pending-upgrade` is freed by `helm -n millrace-system rollback millrace`";
    Stage::run(checkout, "helm release", mend, |stage| {
        let mut upgrade = programs
            .helm()
            .args(["upgrade", "--install", RELEASE])
            .arg(checkout.path("charts/millrace"))
            .args(["--namespace", SYSTEM_NAMESPACE, "--create-namespace", "--timeout", "120s"]);
        for image in images.iter().filter(|image| image.is_of_the_chart()) {
            let value = format!("{}.image", image.folder);
            upgrade = upgrade
                .args(["--set", &format!("{value}.repository={}", image.repository())])
                .args(["--set-string", &format!("{value}.tag={}", image.content_tag())]);
        }
        upgrade.run_logged(stage.log(), |_| {})?;
        apply(checkout, stage, programs, "deploy/shop.yaml", |manifest| manifest)?;
        for service in &SERVICES {
            apply(checkout, stage, programs, "deploy/demo-service.yaml", |template| {
                with_demo_image(&service.manifest(&template), images)
            })?;
        }
        let names = SERVICES.map(|service| format!("demo-{}", service.name)).join(" ");
        Ok(((), format!("{RELEASE} in {SYSTEM_NAMESPACE}, {names}, namespace shop")))
    })?;
    wait(checkout, programs)?;
    let mend = "`kubectl -n millrace-system exec -it postgres-0 -- psql` must open; the log has its refusal";
    Stage::run(checkout, "login of the apps", mend, |stage| {
        shop::ensure_login(stage, programs)?;
        Ok(((), "Secret shop-apps-postgres in namespace shop".into()))
    })
}

fn with_demo_image(manifest: &str, images: &[Image]) -> String {
    images
        .iter()
        .filter(|image| image.folder == DEMO.image)
        .fold(manifest.to_owned(), |manifest, image| manifest.replace(&image.plain_name(), &image.name()))
}

fn apply(
    checkout: &Checkout,
    stage: &Stage,
    programs: &Programs,
    manifest: &str,
    change: impl FnOnce(String) -> String,
) -> Result<()> {
    let path = checkout.path(manifest);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    programs.kubectl().args(["apply", "--filename", "-"]).input(change(text)).run_logged(stage.log(), |_| {})
}

/// Until every Deployment and StatefulSet of the system's namespace runs its newest template with all its replicas.
fn wait(checkout: &Checkout, programs: &Programs) -> Result<()> {
    let mend = "`kubectl -n millrace-system describe pods` and `kubectl -n millrace-system logs POD` say why a pod is not ready";
    Stage::run(checkout, "pods", mend, |stage| {
        let deadline = Instant::now() + PATIENCE;
        let mut said = String::new();
        loop {
            let workloads = workloads(programs)?;
            let mut now = workloads.iter().map(Workload::to_string).collect::<Vec<_>>().join("  ");
            if !workloads.is_empty() && workloads.iter().all(Workload::is_ready) {
                // After a restart the API server believes for a while what it knew before: the servers themselves do not.
                let silent: Vec<&str> =
                    host::servers().iter().filter(|server| !server.answers()).map(|server| server.address).collect();
                if silent.is_empty() {
                    return Ok(((), now));
                }
                now = format!("{now}; no answer yet on {}", silent.join(" "));
            }
            if now != said {
                stage.say(&now);
                said = now;
            }
            if Instant::now() > deadline {
                bail!("not ready within {} s: {said}\n{}", PATIENCE.as_secs(), unready_pods(programs));
            }
            thread::sleep(Duration::from_millis(500));
        }
    })
}

fn workloads(programs: &Programs) -> Result<Vec<Workload>> {
    let text = programs
        .kubectl()
        .args(["--namespace", SYSTEM_NAMESPACE, "get", "statefulsets,deployments", "--output", "json"])
        .limit(Duration::from_secs(60))
        .output()?;
    parse_workloads(&text)
}

/// Pods and the newest warnings, for a failure's message: what cannot be asked is left out.
fn unready_pods(programs: &Programs) -> String {
    let ask = |arguments: &[&str]| {
        programs.kubectl().args(["--namespace", SYSTEM_NAMESPACE, "get"]).args(arguments).output().unwrap_or_default()
    };
    let warnings = ask(&["events", "--field-selector", "type=Warning", "--sort-by", ".lastTimestamp", "--no-headers"]);
    let newest: Vec<&str> = warnings.lines().rev().take(5).collect();
    format!("{}{}", ask(&["pods", "--output", "wide"]), newest.join("\n"))
}

/// Every image that a pod or a template in the cluster names.
pub fn images_named(programs: &Programs) -> Result<BTreeSet<String>> {
    let text = programs
        .kubectl()
        .args(["get", "pods,deployments,statefulsets", "--all-namespaces", "--output", "jsonpath={..image}"])
        .output()?;
    Ok(text.split_whitespace().map(|name| name.trim_start_matches("docker.io/").to_owned()).collect())
}
