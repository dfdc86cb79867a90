//! One page: nodes, pods, views, and the addresses on this host with whether something answers there.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;

use crate::checkout::{Checkout, EXAMPLE_NAMESPACE, KAFKA_ON_HOST, POSTGRES_PORT_ON_HOST, SYSTEM_NAMESPACE};
use crate::cluster;
use crate::engine;
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
    for address in KAFKA_ON_HOST.split(',') {
        address_line("Kafka broker", address, "");
    }
    address_line("Postgres", &format!("127.0.0.1:{POSTGRES_PORT_ON_HOST}"), "psql \"$(cargo xtask uri)\"");
    address_line("demo users", "127.0.0.1:18081", "curl http://127.0.0.1:18081/api/users");
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

fn address_line(what: &str, address: &str, how: &str) {
    let line =
        format!("  {what:<13} {address:<16} {:<13} {how}", if answers(address) { "answers" } else { "no answer" });
    println!("{}", line.trim_end());
}

/// kind's port proxy accepts every connection; only one that stays open has somebody behind it.
fn answers(address: &str) -> bool {
    let patience = Duration::from_millis(300);
    let Some(address) = address.parse::<SocketAddr>().ok() else { return false };
    let Ok(mut stream) = TcpStream::connect_timeout(&address, patience) else { return false };
    if stream.set_read_timeout(Some(patience)).is_err() {
        return false;
    }
    // None of these servers speaks first: an end of stream is a refusal, silence is a server that waits.
    match std::io::Read::read(&mut stream, &mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_answers_when_the_connection_stays_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert!(answers(&address));
        let closer = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            drop(listener.accept().unwrap());
        });
        assert!(!answers(&address));
        assert!(!answers(&address));
        closer.join().unwrap();
        assert!(!answers(&address));
    }
}
