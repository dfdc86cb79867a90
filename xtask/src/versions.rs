//! Which versions the cluster is made of: the one list that the node image's recipe reads too.

use std::fs;

use anyhow::{Context, Result};

use crate::checkout::Checkout;

#[derive(Debug, Clone)]
pub struct Versions {
    pub kubernetes: String,
    /// Node images that may be pulled instead of made, best first.
    pub pullable: Vec<String>,
}

impl Versions {
    pub fn read(checkout: &Checkout) -> Result<Self> {
        let path = checkout.path("deploy/kind-node/versions");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is incomplete", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(|value| value.trim_matches('"').to_owned())
                .with_context(|| format!("no line `{name}=v1.2.3`"))
        };
        Ok(Self {
            pullable: value("PULLABLE")?.split_whitespace().map(str::to_owned).collect(),
            kubernetes: value("KUBERNETES")?,
        })
    }
}

/// The first `major.minor` in what a program says of itself.
pub fn major_and_minor(text: &str) -> Option<(u32, u32)> {
    text.split(|character: char| !(character.is_ascii_digit() || character == '.')).find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("kind v0.33.0 go1.24.3 linux/amd64", Some((0, 33))),
            ("v3.19.4+g7cfb6e4", Some((3, 19))),
            ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", Some((1, 32))),
            ("command not found", None),
        ] {
            assert_eq!(major_and_minor(text), version, "{text}");
        }
    }

    #[test]
    fn a_missing_version_is_named() {
        let error = Versions::parse("PULLABLE=\"v1.34.4 v1.34.3\"\nKIND=v0.33.0\n").unwrap_err();
        assert!(error.to_string().contains("KUBERNETES"), "{error}");
    }
}
