//! What the cluster serves on this host's loopback, and whether it answers there.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Kafka's brokers, Postgres and the demo's services; kind-config.yaml maps their ports.
pub const KAFKA: &str = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094";
pub const POSTGRES: &str = "127.0.0.1:15432";
pub const DEMO_USERS: &str = "127.0.0.1:18081";
pub const DEMO_POSTS: &str = "127.0.0.1:18082";
pub const DEMO_ORDERS: &str = "127.0.0.1:18083";

#[derive(Debug)]
pub struct Server {
    pub what: &'static str,
    pub address: &'static str,
    /// What a person types to use it.
    pub how: &'static str,
}

pub fn servers() -> Vec<Server> {
    let brokers = KAFKA.split(',').map(|address| Server { what: "Kafka broker", address, how: "" });
    brokers
        .chain([
            Server { what: "Postgres", address: POSTGRES, how: "psql \"$(cargo xtask uri)\"" },
            Server { what: "demo users", address: DEMO_USERS, how: "curl http://127.0.0.1:18081/api/users" },
            Server { what: "demo posts", address: DEMO_POSTS, how: "curl http://127.0.0.1:18082/api/posts/users" },
            Server { what: "demo orders", address: DEMO_ORDERS, how: "curl http://127.0.0.1:18083/api/orders" },
        ])
        .collect()
}

impl Server {
    pub fn answers(&self) -> bool {
        answers(self.address)
    }
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
    match stream.read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// The body of an HTTP answer, whatever its status; nothing where nobody answers.
pub fn get(address: &str, path: &str) -> Option<String> {
    let patience = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address.parse().ok()?, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
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
