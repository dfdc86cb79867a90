//! The images: built when their content changed, named by it, and loaded into the nodes that lack them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::binaries::{self, BINARIES};
use crate::checkout::{CLUSTER, Checkout};
use crate::cluster::{self, Node};
use crate::content::{hash_of_both, hash_of_folder};
use crate::engine::docker;
use crate::invocation::Invocation;
use crate::packages;
use crate::programs::Programs;
use crate::stage::Stage;

const CONTENT_LABEL: &str = "dev.millrace.content";

/// Folders below images/, each with the tag that a person and the chart's defaults use.
const TAGS: [(&str, &str); 6] =
    [("kafka", "4.1.1"), ("postgres", "15"), ("operator", "dev"), ("worker", "dev"), ("demo", "dev"), (STREAMS, "dev")];

/// The Kafka Streams program stands on Kafka's image, which has the Java machine and all jars but one: nodes get those once.
const STREAMS: &str = "demo-streams";
const BASE_OF_STREAMS: &str = "kafka";

/// An image as it was built: `millrace/worker:dev`, and the same by its content, `millrace/worker:dev-0123456789ab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub folder: &'static str,
    tag: &'static str,
    content: String,
    /// By its content, the image that this one stands on.
    base: Option<String>,
}

impl Image {
    pub fn repository(&self) -> String {
        format!("millrace/{}", self.folder)
    }

    pub fn plain_name(&self) -> String {
        format!("{}:{}", self.repository(), self.tag)
    }

    /// A new content is a new name, so that Kubernetes itself sees what has to be rolled out.
    pub fn content_tag(&self) -> String {
        format!("{}-{}", self.tag, &self.content[..12])
    }

    pub fn name(&self) -> String {
        format!("{}:{}", self.repository(), self.content_tag())
    }

    /// Whether the chart has a value that names it; the others are the demo's.
    pub fn is_of_the_chart(&self) -> bool {
        !self.folder.starts_with("demo")
    }

    fn is_built(&self) -> bool {
        let label = |name: &str| {
            docker()
                .args(["image", "inspect", "--format"])
                .arg(format!("{{{{index .Config.Labels {CONTENT_LABEL:?}}}}}"))
                .arg(name)
                .output()
        };
        [self.name(), self.plain_name()].iter().all(|name| label(name).is_ok_and(|label| label.trim() == self.content))
    }

    fn build(&self, checkout: &Checkout, log: &Path) -> Result<()> {
        let mut build = docker()
            .args(["build", "--label", &format!("{CONTENT_LABEL}={}", self.content)])
            .args(["--tag", &self.plain_name(), "--tag", &self.name()])
            .args(self.base.iter().flat_map(|base| ["--build-arg".to_owned(), format!("BASE={base}")]))
            .arg(checkout.path("images").join(self.folder));
        if !docker().args(["buildx", "version"]).succeeds() {
            // Without buildx the client warns and falls back; saying so keeps the log to what matters.
            build = build.env("DOCKER_BUILDKIT", "0");
        }
        build.run_logged(log, |_| {}).with_context(|| format!("the image {}", self.plain_name()))
    }
}

/// Compiles our programs, stages them, and builds every image whose content changed.
pub fn ensure(checkout: &Checkout) -> Result<Vec<Image>> {
    stage_contexts(checkout)?;
    let mend = "the log names the Dockerfile's failing line; `apt-get` inside a build needs the engine's network";
    Stage::run(checkout, "images", mend, |stage| {
        let images = describe(checkout)?;
        let changed: Vec<&Image> = images.iter().filter(|image| !image.is_built()).collect();
        let names: Vec<String> = changed.iter().map(|image| image.plain_name()).collect();
        if !names.is_empty() {
            stage.say(&format!("building {}", names.join(" ")));
        }
        let (bases, others): (Vec<&Image>, Vec<&Image>) =
            changed.into_iter().partition(|image| image.folder == BASE_OF_STREAMS);
        build_together(checkout, stage.log(), &bases)?;
        build_together(checkout, stage.log(), &others)?;
        let said = if names.is_empty() { "nothing changed".into() } else { format!("built {}", names.join(" ")) };
        Ok((images, said))
    })
}

/// Every image as its folder, and that of its base, make it now.
fn describe(checkout: &Checkout) -> Result<Vec<Image>> {
    let mut images: Vec<Image> = Vec::new();
    for (folder, tag) in TAGS {
        let mut content = hash_of_folder(&checkout.path("images").join(folder))?;
        let base = images.iter().find(|image| folder == STREAMS && image.folder == BASE_OF_STREAMS);
        let base = base.map(|base| {
            content = hash_of_both(&content, &base.content);
            base.name()
        });
        images.push(Image { folder, tag, content, base });
    }
    Ok(images)
}

/// Every image's folder as `docker build` wants it: programs staged, jars fetched, the Kafka Streams program compiled.
pub fn stage_contexts(checkout: &Checkout) -> Result<()> {
    let programs = binaries::build(checkout, &BINARIES.map(|binary| binary.name))?;
    let mend =
        "Kafka's jars come from Maven Central: the log says what Maven could not fetch, or what javac did not like";
    Stage::run(checkout, "image contexts", mend, |stage| {
        for (binary, program) in BINARIES.into_iter().zip(&programs) {
            binaries::stage(checkout, binary, program)?;
        }
        packages::install(stage, &packages::missing(packages::FOR_THE_IMAGES))?;
        for folder in [BASE_OF_STREAMS, STREAMS] {
            let fetch = checkout.path("images").join(folder).join("fetch.sh");
            Invocation::new("bash").arg(fetch).run_logged(stage.log(), |_| {})?;
        }
        compile_streams(checkout, stage)?;
        Ok(((), "images/*/stage, images/*/libs".into()))
    })
}

fn compile_streams(checkout: &Checkout, stage: &Stage) -> Result<()> {
    let images = checkout.path("images");
    let jars = [BASE_OF_STREAMS, STREAMS].map(|folder| format!("{}/*", images.join(folder).join("libs").display()));
    Invocation::new("javac")
        .args(["--release", "17", "-d"])
        .arg(images.join(STREAMS).join("stage"))
        .args(["-cp", &jars.join(":")])
        .arg(checkout.path("workloads/demo/streams/ProductTotals.java"))
        .run_logged(stage.log(), |_| {})
}

fn build_together(checkout: &Checkout, log: &Path, images: &[&Image]) -> Result<()> {
    thread::scope(|scope| {
        let builds: Vec<_> = images.iter().map(|image| scope.spawn(|| image.build(checkout, log))).collect();
        builds.into_iter().try_for_each(|build| build.join().map_err(|_| anyhow!("a build's thread ended early"))?)
    })
}

/// Loads what a worker node lacks, every node at once; no pod of ours runs on the control plane.
pub fn load(checkout: &Checkout, programs: &Programs, images: &[Image]) -> Result<()> {
    let mend = "`docker system df` and `df -h` show whether the disk is full; otherwise `cargo xtask down`, then `up`";
    Stage::run(checkout, "images into nodes", mend, |stage| {
        let nodes: Vec<Node> = cluster::nodes()?.into_iter().filter(|node| !node.is_control_plane()).collect();
        let held = nodes.iter().map(held_by).collect::<Result<Vec<_>>>()?;
        let lacking: Vec<&Image> = images.iter().filter(|image| !held.iter().all(|held| holds(held, image))).collect();
        if lacking.is_empty() {
            return Ok(((), format!("{} nodes have them", nodes.len())));
        }
        let names: Vec<String> = lacking.iter().map(|image| image.plain_name()).collect();
        stage.say(&format!("loading {} into {} nodes", names.join(" "), nodes.len()));
        let node_names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        programs
            .kind()
            .args(["load", "docker-image", "--name", CLUSTER, "--nodes", &node_names.join(",")])
            .args(lacking.iter().flat_map(|image| [image.plain_name(), image.name()]))
            .run_logged(stage.log(), |_| {})?;
        Ok(((), format!("{} into {} nodes", names.join(" "), nodes.len())))
    })
}

/// The names that a node's containerd knows, each with the digest it stands for.
type Held = BTreeMap<String, String>;

/// By containerd's own client, which every node image has.
fn containerd(node: &Node) -> Invocation {
    node.run(&["ctr", "--namespace", "k8s.io", "images"])
}

fn held_by(node: &Node) -> Result<Held> {
    Ok(parse_held(&containerd(node).arg("ls").output()?))
}

/// Columns are name, type, digest and more; the heading is a name that nobody asks for.
fn parse_held(listing: &str) -> Held {
    listing
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            Some((columns.next()?.to_owned(), columns.nth(1)?.to_owned()))
        })
        .collect()
}

/// Both names must stand for one image: the plain one may still be an older content.
fn holds(held: &Held, image: &Image) -> bool {
    let [plain, exact] = [image.plain_name(), image.name()].map(|name| held.get(&format!("docker.io/{name}")));
    exact.is_some() && plain == exact
}

/// Removes our older contents that nothing in the cluster names any more, from the nodes and from the engine.
pub fn remove_unused(checkout: &Checkout, images: &[Image], named_in_cluster: &BTreeSet<String>) -> Result<()> {
    let mend = "harmless: it only frees space; run `cargo xtask up` again";
    Stage::run(checkout, "older images", mend, |stage| {
        let keep: BTreeSet<String> = images.iter().map(Image::name).chain(named_in_cluster.iter().cloned()).collect();
        let mut removed = BTreeSet::new();
        for node in cluster::nodes()?.iter().filter(|node| !node.is_control_plane()) {
            let unused = unused(held_by(node)?.into_keys(), &keep);
            if !unused.is_empty() {
                let names = unused.iter().map(|name| format!("docker.io/{name}"));
                containerd(node).arg("rm").args(names).run_logged(stage.log(), |_| {})?;
                removed.extend(unused);
            }
        }
        let listed =
            docker().args(["images", "--format", "docker.io/{{.Repository}}:{{.Tag}}", "millrace/*"]).output()?;
        let mut unused = unused(listed.lines().map(str::to_owned), &keep);
        // What stands on an image goes before it.
        unused.sort_by_key(|name| !name.contains(STREAMS));
        for name in unused {
            docker().args(["rmi", &name]).run_logged(stage.log(), |_| {})?;
            removed.insert(name);
        }
        Ok(((), if removed.is_empty() { "none".into() } else { format!("removed {}", removed.len()) }))
    })
}

/// Names by content alone are ours to remove; whatever else lies in a node or an engine is somebody's.
fn unused(names: impl Iterator<Item = String>, keep: &BTreeSet<String>) -> Vec<String> {
    names
        .filter_map(|name| name.strip_prefix("docker.io/").map(str::to_owned))
        .filter(|name| is_named_by_content(name) && !keep.contains(name))
        .collect()
}

fn is_named_by_content(name: &str) -> bool {
    TAGS.iter().any(|(folder, tag)| {
        name.strip_prefix(&format!("millrace/{folder}:{tag}-"))
            .is_some_and(|content| content.len() == 12 && content.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(content: &str) -> Image {
        Image { folder: "worker", tag: "dev", content: content.repeat(8), base: None }
    }

    #[test]
    fn a_node_holds_an_image_only_when_both_names_mean_it() {
        let held = parse_held(
            "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
             docker.io/millrace/worker:dev-aaaabbbbaaaa application/json sha256:1 9.0 MiB linux/amd64 managed\n\
             docker.io/millrace/worker:dev              application/json sha256:2 9.0 MiB linux/amd64 managed\n\
             docker.io/millrace/worker:dev-ccccddddcccc application/json sha256:2 9.0 MiB linux/amd64 managed\n",
        );
        assert!(!holds(&held, &worker("aaaabbbb")));
        assert!(holds(&held, &worker("ccccdddd")));
    }

    #[test]
    fn only_older_contents_of_our_own_images_are_removed() {
        let names = [
            "docker.io/millrace/worker:dev",
            "docker.io/millrace/worker:dev-aaaabbbbaaaa",
            "docker.io/millrace/worker:dev-ccccddddcccc",
            "docker.io/millrace/worker:dev-mine",
            "docker.io/library/nginx:1",
        ]
        .map(str::to_owned);
        let keep = BTreeSet::from([worker("ccccdddd").name()]);
        assert_eq!(unused(names.into_iter(), &keep), ["millrace/worker:dev-aaaabbbbaaaa"]);
    }
}
