//! `cargo xtask load`: runs the demo's own loaders against the cluster's addresses on this host.

use std::num::NonZeroU64;

use anyhow::{Context, Result};

use crate::binaries::{self, DEMO};
use crate::checkout::Checkout;
use crate::host;
use crate::invocation::Invocation;
use crate::postgres;
use crate::programs::Programs;

const USUAL_USERS: NonZeroU64 = NonZeroU64::new(452_000).unwrap();

/// Users first, then orders, each at the rate; users unless only orders are asked for.
pub fn load(
    checkout: &Checkout,
    programs: &Programs,
    users: Option<NonZeroU64>,
    orders: Option<NonZeroU64>,
    rate: Option<NonZeroU64>,
) -> Result<()> {
    let postgres = postgres::uri_on_host(programs)?;
    let built = binaries::build(checkout, &[DEMO.name])?;
    let loader = built.first().context("one program was asked for")?;
    let users = users.or(orders.is_none().then_some(USUAL_USERS));
    for (command, option, count) in [("load-users", "--users", users), ("load-orders", "--orders", orders)] {
        let Some(count) = count else { continue };
        let mut run = Invocation::new(loader).args([command, option, &count.to_string()]);
        run = run.args(["--bootstrap", host::KAFKA, "--postgres", &postgres]);
        if let Some(rate) = rate {
            run = run.args(["--rate", &rate.to_string()]);
        }
        run.run_in_front().context("the load did not end well")?;
    }
    Ok(())
}
