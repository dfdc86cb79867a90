//! One page: nodes, pods, views, and the addresses on this host with whether something answers there.

use std::time::Duration;

use anyhow::Result;

use crate::checkout::{Checkout, EXAMPLE_NAMESPACE, SYSTEM_NAMESPACE};
use crate::cluster;
use crate::engine;
use crate::host;
use crate::kind_config::KindConfig;
use crate::programs::Programs;

pub fn print(checkout: &Checkout, programs: &Programs) -> Result<()> {
    let Some(version) = engine::version() else {
        println!("Docker engine   does not answer; `cargo xtask up` starts one");
        return Ok(());
    };
    println!("Docker engine   {version}");
    let expected = KindConfig::read(checkout)?.nodes.len();
    let nodes = cluster::nodes()?;
    if nodes.is_empty() {
        println!("kind cluster    none; `cargo xtask up` makes one");
        return Ok(());
    }
    let running = nodes.iter().filter(|node| node.running).count();
    println!("kind cluster    {running} of {expected} nodes running");
    section("Nodes", programs, &["nodes"]);
    for namespace in [SYSTEM_NAMESPACE, EXAMPLE_NAMESPACE] {
        section(&format!("Pods of {namespace}"), programs, &["pods", "--namespace", namespace, "--output", "wide"]);
    }
    section("Views", programs, &["materializedviews", "--all-namespaces"]);
    println!("\nOn this host");
    for server in host::servers() {
        let answer = if server.answers() { "answers" } else { "no answer" };
        let line = format!("  {:<13} {:<16} {answer:<10} {}", server.what, server.address, server.how);
        println!("{}", line.trim_end());
    }
    Ok(())
}

/// What cannot be asked is said in its place: the rest of the page still helps.
fn section(title: &str, programs: &Programs, what: &[&str]) {
    println!("\n{title}");
    match programs.kubectl().args(["get", "--request-timeout=10s"]).args(what).limit(Duration::from_secs(20)).output() {
        Ok(text) if text.trim().is_empty() => println!("  none"),
        Ok(text) => text.lines().for_each(|line| println!("  {}", line.trim_end())),
        Err(error) => println!("  cannot be asked: {}", error.to_string().lines().next().unwrap_or("no reason given")),
    }
}
