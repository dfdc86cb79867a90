//! The image of a kind node: the one at hand, else pulled, else made from package registries.

use std::time::Duration;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::engine::docker;
use crate::packages;
use crate::recipe::Recipe;
use crate::stage::Stage;

const RECIPE_LABEL: &str = "dev.millrace.recipe";

/// Makes sure of a node image and returns its name.
pub fn ensure(checkout: &Checkout, recipe: &Recipe) -> Result<String> {
    let mend = "the log says which download or build failed; what was finished is kept, so run it again. \
                Making it takes root, gcc and Go. Or bring any kindest/node image named in deploy/kind-node/versions";
    Stage::run(checkout, "kind node image", mend, |stage| {
        if let Some((name, origin)) = at_hand(recipe) {
            return Ok((name.clone(), format!("{name}, {origin}")));
        }
        for version in &recipe.versions.pullable {
            let name = image_name(version);
            stage.say(&format!("pulling {name}"));
            if pull(stage, &name, Duration::from_secs(1200)) {
                return Ok((name.clone(), format!("{name}, pulled")));
            }
        }
        let name = image_name(&recipe.versions.kubernetes);
        println!(
            "           no image can be pulled: {name} is made from Go modules and Debian packages, about ten minutes, once"
        );
        make_base(stage, recipe)?;
        recipe.make(stage, &["node-image"])?;
        Ok((name.clone(), format!("{name}, made")))
    })
}

/// debian:bookworm-slim, which every image here begins with.
pub fn ensure_base(checkout: &Checkout, recipe: &Recipe) -> Result<()> {
    let mend = "`docker pull debian:bookworm-slim` by hand shows why it cannot be pulled; making it takes root and debootstrap";
    Stage::run(checkout, "base image", mend, |stage| {
        make_base(stage, recipe)?;
        Ok(((), "debian:bookworm-slim".into()))
    })
}

fn make_base(stage: &Stage, recipe: &Recipe) -> Result<()> {
    if image_exists("debian:bookworm-slim") {
        return Ok(());
    }
    if !pull(stage, "debian:bookworm-slim", Duration::from_secs(300)) {
        packages::install(stage, &packages::missing(packages::FOR_THE_BASE_IMAGE))?;
    }
    recipe.make(stage, &["base-image"])
}

/// Whether the engine could pull it. The engine alone is asked: it goes by its own proxies, mirrors and logins, and what
/// a client can reach says nothing of it.
fn pull(stage: &Stage, name: &str, limit: Duration) -> bool {
    docker().args(["pull", name]).limit(limit).run_logged(stage.log(), |_| {}).is_ok()
}

/// An image that was pulled carries no label of ours; one that was made must be of this recipe.
fn at_hand(recipe: &Recipe) -> Option<(String, &'static str)> {
    std::iter::once(&recipe.versions.kubernetes).chain(&recipe.versions.pullable).find_map(|version| {
        let name = image_name(version);
        let format = format!("{{{{index .Config.Labels {RECIPE_LABEL:?}}}}}");
        let label = docker().args(["image", "inspect", "--format", &format, &name]).output().ok()?;
        match label.trim() {
            "" | "<no value>" => Some((name, "at hand")),
            hash if hash == recipe.hash => Some((name, "made before")),
            _ => None,
        }
    })
}

/// False as well when no engine answers: nobody knows then.
pub fn is_at_hand(recipe: &Recipe) -> bool {
    at_hand(recipe).is_some()
}

fn image_exists(name: &str) -> bool {
    docker().args(["image", "inspect", name]).succeeds()
}

fn image_name(version: &str) -> String {
    format!("kindest/node:{version}")
}
