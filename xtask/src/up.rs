//! `cargo xtask up`: from whatever this machine has to a running system.

use std::path::Path;

use anyhow::{Result, bail};

use crate::binaries;
use crate::checkout::Checkout;
use crate::cluster;
use crate::engine;
use crate::host;
use crate::images;
use crate::invocation::Invocation;
use crate::node_image;
use crate::packages;
use crate::programs::Programs;
use crate::recipe::Recipe;
use crate::release;

pub fn up(checkout: &Checkout) -> Result<()> {
    let recipe = Recipe::read(checkout)?;
    announce(&recipe)?;
    engine::ensure(checkout)?;
    let programs = Programs::ensure(checkout, &recipe)?;
    let node_image = node_image::ensure(checkout, &recipe)?;
    node_image::ensure_base(checkout, &recipe)?;
    let images = images::ensure(checkout)?;
    cluster::ensure(checkout, &programs, &node_image)?;
    images::load(checkout, &programs, &images)?;
    release::ensure(checkout, &programs, &images)?;
    images::remove_unused(checkout, &images, &release::images_named(&programs)?)?;
    print_what_next(&programs, &binaries::ensure_command_line(checkout, &recipe.programs_folder())?);
    Ok(())
}

/// Says what will be installed, and where it comes from, before anything is; fails here where it cannot be.
fn announce(recipe: &Recipe) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("this is {}: `cargo xtask up` runs on Linux, in a virtual machine too", std::env::consts::OS);
    }
    let mut lines = Vec::new();
    let mut wanted = packages::missing(packages::FOR_THE_BUILD);
    wanted.extend(packages::missing(packages::FOR_THE_IMAGES));
    let engine = engine::version();
    if engine.is_none() {
        wanted.extend(packages::missing(packages::FOR_THE_ENGINE));
        lines.push("a Docker engine does not answer: one will be started".to_owned());
    }
    packages::check(&wanted)?;
    if engine.is_none() && !packages::is_root()? {
        bail!(
            "no Docker engine answers, and only root can start one: start Docker yourself (`docker version` must show a \
             server; group `docker` for people who are not root)"
        );
    }
    if !wanted.is_empty() {
        lines.insert(0, format!("packages, by apt-get: {}", packages::names(&wanted)));
    }
    let programs = Programs::missing(recipe)?;
    if !programs.is_empty() {
        let folder = recipe.programs_folder();
        lines.push(format!("{}, from their Go modules, into {}", programs.join(" "), folder.display()));
    }
    if !node_image::is_at_hand(recipe) {
        lines.push(
            "a kind node image: pulled if a registry answers, otherwise made (debootstrap, Go modules)".to_owned(),
        );
    }
    if lines.is_empty() {
        return Ok(());
    }
    println!("This machine lacks some things, and will get:");
    lines.iter().for_each(|line| println!("  - {line}"));
    Ok(())
}

fn print_what_next(programs: &Programs, command_line: &Path) {
    println!();
    println!("Millrace is up: context kind-millrace, Kafka {},", host::KAFKA);
    println!("Postgres {}, users http://{}/api/users,", host::POSTGRES, host::DEMO_USERS);
    println!("posts http://{}/api/posts/users, orders http://{}/api/orders", host::DEMO_POSTS, host::DEMO_ORDERS);
    println!("  kubectl apply -f examples/user-view.yaml");
    println!("  psql \"$(cargo xtask uri)\" -c 'select * from shop.user_view'");
    println!("  {} -n shop status user-view", command_line.display());
    if let Some(advice) = programs.advice() {
        println!("  {advice}");
    }
    if !Invocation::new("psql").arg("--version").succeeds() {
        println!("psql is not on PATH: `apt-get install postgresql-client`, or use the one beside the server:");
        println!("  kubectl -n millrace-system exec -it postgres-0 -- psql");
    }
}
