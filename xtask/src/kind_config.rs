//! kind-config.yaml as far as this program must know it: how many nodes, and which host ports.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::checkout::Checkout;

#[derive(Debug, Deserialize)]
pub struct KindConfig {
    pub nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    #[serde(default)]
    pub extra_port_mappings: Vec<PortMapping>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PortMapping {
    pub listen_address: String,
    pub host_port: u16,
    pub container_port: u16,
}

impl KindConfig {
    pub fn read(checkout: &Checkout) -> Result<Self> {
        let path = checkout.path("kind-config.yaml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_yaml::from_str(&text).with_context(|| format!("{} is no kind configuration", path.display()))
    }

    pub fn port_mappings(&self) -> impl Iterator<Item = &PortMapping> {
        self.nodes.iter().flat_map(|node| &node.extra_port_mappings)
    }

    /// kind says only that a container could not start; this says which port somebody else holds.
    pub fn check_ports_are_free(&self) -> Result<()> {
        for mapping in self.port_mappings() {
            let address = format!("{}:{}", mapping.listen_address, mapping.host_port);
            if let Err(error) = TcpListener::bind(&address) {
                bail!(
                    "{address} is taken by another program ({error}); `ss -ltnp 'sport = :{}'` names it: end it first",
                    mapping.host_port
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_host_ports_are_those_this_program_prints() {
        let config = KindConfig::read(&Checkout::find().unwrap()).unwrap();
        assert_eq!(config.nodes.len(), 4);
        assert!(config.port_mappings().all(|mapping| mapping.listen_address == "127.0.0.1"));
        let host_ports: Vec<u16> = config.port_mappings().map(|mapping| mapping.host_port).collect();
        for server in crate::host::servers() {
            let port = server.address.rsplit(':').next().unwrap().parse().unwrap();
            assert!(host_ports.contains(&port), "{}", server.address);
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let host_port = holder.local_addr().unwrap().port();
        let mapping = PortMapping { listen_address: "127.0.0.1".into(), host_port, container_port: 1 };
        let config = KindConfig { nodes: vec![Node { extra_port_mappings: vec![mapping] }] };
        let error = config.check_ports_are_free().unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{host_port} is taken")), "{error}");
    }
}
