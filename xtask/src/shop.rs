//! The shop on the cluster: its services, and the login of its apps, a role of Postgres that owns their tables and no more.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use serde_json::json;

use crate::checkout::{EXAMPLE_NAMESPACE, SYSTEM_NAMESPACE};
use crate::host;
use crate::programs::Programs;
use crate::stage::Stage;

/// A service that `up` starts: one manifest, deploy/demo-service.yaml, with these in it.
#[derive(Debug)]
pub struct Service {
    pub name: &'static str,
    port: u16,
    pub address: &'static str,
}

pub const SERVICES: [Service; 3] = [
    Service { name: "users", port: 8081, address: host::DEMO_USERS },
    Service { name: "posts", port: 8082, address: host::DEMO_POSTS },
    Service { name: "orders", port: 8083, address: host::DEMO_ORDERS },
];

impl Service {
    /// The node's port is the one that kind-config.yaml maps.
    pub fn manifest(&self, template: &str) -> String {
        let port = self.port.to_string();
        let node_port = (self.port + 22_000).to_string();
        template.replace("SERVICE", self.name).replace("NODE_PORT", &node_port).replace("PORT", &port)
    }
}

const SECRET: &str = "shop-apps-postgres";
const ROLE: &str = "shop_apps";
const DATABASE: &str = "millrace";

/// Makes the role and the Secret that tells of it; what is there already stays, with its password. Postgres must be up.
pub fn ensure_login(stage: &Stage, programs: &Programs) -> Result<()> {
    let password = match password_of_secret(programs) {
        Some(password) => password,
        None => new_password()?,
    };
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": EXAMPLE_NAMESPACE},
        "stringData": {
            "host": format!("postgres.{SYSTEM_NAMESPACE}.svc"), "dbname": DATABASE, "username": ROLE,
            "password": password,
        },
    });
    let apply = programs.kubectl().args(["apply", "--server-side", "--force-conflicts", "--filename", "-"]);
    apply.input(secret.to_string()).run_logged(stage.log(), |_| {})?;
    programs
        .kubectl()
        .args(["--namespace", SYSTEM_NAMESPACE, "exec", "--stdin", "postgres-0", "--"])
        .args(["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", DATABASE])
        .input(statements(&password))
        .run_logged(stage.log(), |_| {})
        .context("the role of the shop's apps cannot be made")
}

/// The database's owner is a member, so that whoever has its address sees the apps' tables.
fn statements(password: &str) -> String {
    format!(
        "DO $$ BEGIN
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE}; END IF;
         END $$;
         ALTER ROLE {ROLE} LOGIN PASSWORD '{password}';
         GRANT CREATE ON DATABASE {DATABASE} TO {ROLE};
         SELECT format('GRANT {ROLE} TO %I', pg_get_userbyid(datdba)) FROM pg_database WHERE datname = '{DATABASE}' \\gexec\n"
    )
}

fn password_of_secret(programs: &Programs) -> Option<String> {
    let password = programs
        .kubectl()
        .args(["--namespace", EXAMPLE_NAMESPACE, "get", "secret", SECRET])
        .args(["--output", "go-template={{.data.password | base64decode}}"])
        .output()
        .ok()?;
    is_a_password(password.trim()).then(|| password.trim().to_owned())
}

/// 192 bits, as hexadecimal digits.
fn new_password() -> Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One of ours: nothing else ever gets into a statement.
fn is_a_password(text: &str) -> bool {
    text.len() == 48 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_gets_its_name_and_ports_and_nothing_is_left_of_the_template() {
        let template = include_str!("../../deploy/demo-service.yaml");
        for service in &SERVICES {
            let manifest = service.manifest(template);
            let body: String = manifest.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(!body.contains("SERVICE") && !body.contains("PORT,") && !body.contains("NODE_"), "{body}");
            let mapped = service.address.rsplit(':').next().unwrap().replace("180", "300");
            assert!(body.contains(&format!("nodePort: {mapped}}}")), "{body}");
            assert!(body.contains(&format!("args: [{}]", service.name)), "{body}");
        }
    }

    #[test]
    fn a_new_password_is_one_and_a_quote_is_none() {
        let password = new_password().unwrap();
        assert!(is_a_password(&password) && password != new_password().unwrap());
        assert!(!is_a_password(&"'".repeat(48)) && !is_a_password(""));
    }
}
