//! `cargo xtask load`: runs the demo's own loader against the cluster's addresses on this host.

use std::num::NonZeroU64;

use anyhow::{Context, Result};

use crate::binaries::{self, DEMO};
use crate::checkout::Checkout;
use crate::host;
use crate::invocation::Invocation;
use crate::postgres;
use crate::programs::Programs;

pub fn load(checkout: &Checkout, programs: &Programs, users: NonZeroU64, rate: Option<NonZeroU64>) -> Result<()> {
    let postgres = postgres::uri_on_host(programs)?;
    let built = binaries::build(checkout, &[DEMO.name])?;
    let loader = built.first().context("one program was asked for")?;
    let mut run = Invocation::new(loader).args([
        "load-users",
        "--users",
        &users.to_string(),
        "--bootstrap",
        host::KAFKA,
        "--postgres",
        &postgres,
    ]);
    if let Some(rate) = rate {
        run = run.args(["--rate", &rate.to_string()]);
    }
    run.run_in_front().context("the load did not end well")
}
