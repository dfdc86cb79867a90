//! The address of the cluster's Postgres as the host sees it, with the password of the Secret that the chart keeps.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::checkout::SYSTEM_NAMESPACE;
use crate::host;
use crate::programs::Programs;

const SECRET: &str = "postgres-app";

/// `postgresql://user:password@127.0.0.1:15432/database`, ready for psql.
pub fn uri_on_host(programs: &Programs) -> Result<String> {
    let template =
        "{{.data.username | base64decode}}\n{{.data.password | base64decode}}\n{{.data.dbname | base64decode}}";
    let text = programs
        .kubectl()
        .args(["--namespace", SYSTEM_NAMESPACE, "get", "secret", SECRET])
        .args(["--output", &format!("go-template={template}")])
        .limit(Duration::from_secs(30))
        .output()
        .with_context(|| {
            format!("cannot read Secret {SECRET} in namespace {SYSTEM_NAMESPACE}: `cargo xtask up` starts the system")
        })?;
    uri(&text)
}

fn uri(lines: &str) -> Result<String> {
    let [username, password, database] = lines.lines().collect::<Vec<_>>()[..] else {
        bail!("Secret {SECRET} must hold `username`, `password` and `dbname`, each of one line");
    };
    Ok(format!(
        "postgresql://{}:{}@{}/{}",
        percent_encoded(username),
        percent_encoded(password),
        host::POSTGRES,
        percent_encoded(database)
    ))
}

/// RFC 3986: everything but the unreserved characters, so that no password can end the address early.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_the_characters_of_an_address_stays_a_password() {
        assert_eq!(
            uri("millrace\np@ss/가\nmillrace").unwrap(),
            "postgresql://millrace:p%40ss%2F%EA%B0%80@127.0.0.1:15432/millrace"
        );
    }

    #[test]
    fn a_secret_without_a_password_is_refused() {
        assert!(uri("millrace\n\n").is_err());
    }
}
