//! Programs of the operating system that the build and the tests need, and the Debian packages that bring them.

use std::path::Path;

use anyhow::{Result, bail};

use crate::invocation::Invocation;
use crate::stage::Stage;

#[derive(Debug)]
pub struct Package {
    pub name: &'static str,
    /// A command that ends well exactly when the machine has what the package brings.
    evidence: &'static [&'static str],
}

const fn package(name: &'static str, evidence: &'static [&'static str]) -> Package {
    Package { name, evidence }
}

/// What compiling the workspace takes: librdkafka is built by configure and make, its OpenSSL by perl.
pub const FOR_THE_BUILD: &[Package] = &[
    package("g++", &["g++", "--version"]),
    package("make", &["make", "--version"]),
    package("perl", &["perl", "-MFindBin", "-MIPC::Cmd", "-MTime::Piece", "-e", "1"]),
    package("pkg-config", &["pkg-config", "--version"]),
];

/// Kafka's jars come from Maven Central, for the image and for the tests' own brokers; the demo's Kafka Streams program is
/// compiled with them.
pub const FOR_THE_IMAGES: &[Package] =
    &[package("maven", &["mvn", "--version"]), package("openjdk-17-jdk-headless", &["javac", "--version"])];

/// The real Postgres of the store tests and of the oracle, and psql for the examples' tests.
pub const FOR_THE_TESTS: &[Package] = &[
    package("postgresql-15", &["/usr/lib/postgresql/15/bin/postgres", "--version"]),
    package("postgresql-client", &["psql", "--version"]),
];

/// A Docker engine: its daemon, and what the runtime for machines without CAP_SYS_RESOURCE is written in.
pub const FOR_THE_ENGINE: &[Package] =
    &[package("docker.io", &["dockerd", "--version"]), package("jq", &["jq", "--version"])];

/// A Debian base image where none can be pulled.
pub const FOR_THE_BASE_IMAGE: &[Package] = &[package("debootstrap", &["debootstrap", "--version"])];

pub fn missing(packages: &'static [Package]) -> Vec<&'static Package> {
    packages
        .iter()
        .filter(|package| {
            let (program, arguments) = package.evidence.split_first().unwrap_or((&"false", &[]));
            !Invocation::new(program).args(arguments).succeeds()
        })
        .collect()
}

pub fn names(packages: &[&'static Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

/// Whether `install` could do its work: what it would say is better said before any other work is done.
pub fn check(packages: &[&'static Package]) -> Result<()> {
    let wanted = names(packages);
    if packages.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "missing here: {wanted} (Debian's names), and there is no apt-get: install them the way your system does"
        );
    }
    if !is_root()? {
        bail!("missing here: {wanted}; only root installs packages: run `sudo apt-get install {wanted}`");
    }
    Ok(())
}

/// Installs by apt-get, which takes Debian (or a relative of it) and root.
pub fn install(stage: &Stage, packages: &[&'static Package]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    check(packages)?;
    let wanted = names(packages);
    stage.say(&format!("installing {wanted}"));
    let search_path = std::env::var("PATH").unwrap_or_default();
    let apt = || {
        Invocation::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300", "-qq"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            // dpkg refuses to work where the folders of administrators' programs are not searched.
            .env("PATH", format!("{search_path}:/usr/local/sbin:/usr/sbin:/sbin"))
    };
    apt().arg("update").run_logged(stage.log(), |_| {})?;
    apt().args(["install", "-y"]).args(packages.iter().map(|package| package.name)).run_logged(stage.log(), |_| {})
}

pub fn is_root() -> Result<bool> {
    Ok(Invocation::new("id").arg("-u").output()?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_missing_exactly_when_its_evidence_fails() {
        const PACKAGES: &[Package] =
            &[package("there", &["true"]), package("absent", &["false"]), package("unheard-of", &["/no/such/program"])];
        assert_eq!(names(&missing(PACKAGES)), "absent unheard-of");
    }
}
