//! One page: nodes, pods, views, apps, consumer groups, the shop's numbers, and the addresses on this host with what answers
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;

use crate::checkout::{Checkout, EXAMPLE_NAMESPACE, SYSTEM_NAMESPACE};
use crate::cluster;
use crate::engine;
use crate::host;
use crate::kind_config::KindConfig;
use crate::programs::Programs;
use crate::shop::{SERVICES, Service};

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
    section("Apps", programs, &["streamapps", "--all-namespaces"]);
    said("Consumer groups", inside(programs, "kafka-0", GROUPS).map(|text| groups(&text)));
    said("Rows of the shop, about", inside(programs, "postgres-0", ROWS));
    println!("\nServices of the shop");
    for service in &SERVICES {
        println!("  {:<8} {}", service.name, health(service));
    }
    println!("\nOn this host");
    for server in host::servers() {
        let answer = if server.answers() { "answers" } else { "no answer" };
        let line = format!("  {:<13} {:<16} {answer:<10} {}", server.what, server.address, server.how);
        println!("{}", line.trim_end());
    }
    Ok(())
}

fn section(title: &str, programs: &Programs, what: &[&str]) {
    let get = programs.kubectl().args(["get", "--request-timeout=10s"]).args(what);
    said(title, get.limit(PATIENCE).output());
}

const PATIENCE: Duration = Duration::from_secs(20);
const GROUPS: &[&str] =
    &["kafka-consumer-groups", "--bootstrap-server", "localhost:9092", "--describe", "--all-groups"];
/// What the server counts as it goes: exact enough, and no table has to be read, nor be there.
const ROWS: &[&str] = &[
    "psql",
    "--no-psqlrc",
    "--tuples-only",
    "--no-align",
    "--field-separator= ",
    "--command",
    "SELECT schemaname || '.' || relname, n_live_tup FROM pg_stat_user_tables
     WHERE schemaname LIKE 'demo\\_%' AND relname <> 'version' ORDER BY 1",
    "millrace",
];

/// By a program beside a server, in its pod.
fn inside(programs: &Programs, pod: &str, command: &[&str]) -> Result<String> {
    let exec = programs.kubectl().args(["--namespace", SYSTEM_NAMESPACE, "exec", pod, "--"]).args(command);
    exec.limit(PATIENCE).output()
}

/// From a line for each partition, a line for each group and topic: how many records are not read yet, and by how many
/// members the group is read.
fn groups(described: &str) -> String {
    let mut lags: BTreeMap<(&str, &str), (i64, BTreeSet<&str>)> = BTreeMap::new();
    for line in described.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID …; `-` is nothing.
        let [group, topic, partition, _, _, lag, member, ..] = columns[..] else { continue };
        if partition.parse::<i32>().is_err() {
            continue;
        }
        let (sum, members) = lags.entry((group, topic)).or_default();
        *sum += lag.parse::<i64>().unwrap_or(0);
        if member != "-" {
            members.insert(member);
        }
    }
    let line = |((group, topic), (lag, members)): (&(&str, &str), &(i64, BTreeSet<&str>))| {
        format!("{group} {topic}: lag {lag}, {} members\n", members.len())
    };
    lags.iter().map(line).collect()
}

/// What the service's own probe says, in one line.
fn health(service: &Service) -> String {
    match host::get(service.address, "/readyz") {
        Some(body) => body.lines().collect(),
        None => format!("no answer on {}", service.address),
    }
}

/// What cannot be asked is said in its place: the rest of the page still helps.
fn said(title: &str, answer: Result<String>) {
    println!("\n{title}");
    match answer {
        Ok(text) if text.trim().is_empty() => println!("  none"),
        Ok(text) => text.lines().for_each(|line| println!("  {}", line.trim_end())),
        Err(error) => println!("  cannot be asked: {}", error.to_string().lines().next().unwrap_or("no reason given")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partitions_of_a_group_are_added_up_and_headings_are_none() {
        let described = "\n\
            GROUP     TOPIC        PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n\
            inventory order-events 0         10             12             2   pod-a-1     /10  pod-a\n\
            inventory order-events 1         -              5              5   pod-a-1     /10  pod-a\n\
            \n\
            Consumer group 'analytics' has no active members.\n\
            GROUP     TOPIC        PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\n\
            analytics order-events 0         12             12             0   -           -    -\n";
        assert_eq!(
            groups(described),
            "analytics order-events: lag 0, 0 members\ninventory order-events: lag 7, 1 members\n"
        );
    }
}
