//! What holds for every file and every crate of the project: which way crates point, how long a file may be, how it begins.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// What a crate of ours may use of ours, tests aside. Everything points from the domain outwards to the programs.
const ARROWS: &[(&str, &[&str])] = &[
    ("millrace-contract", &[]),
    ("millrace-dataflow", &["millrace-contract"]),
    ("millrace-sql", &["millrace-contract", "millrace-dataflow"]),
    ("millrace-connectors", &["millrace-contract", "millrace-dataflow"]),
    ("millrace-worker", &["millrace-contract", "millrace-dataflow", "millrace-sql", "millrace-connectors"]),
    ("millrace-demo-kit", &[]),
    ("millrace-demo-users", &["millrace-demo-kit"]),
    ("millrace-demo-posts", &["millrace-demo-kit"]),
    ("millrace-demo-consumer", &["millrace-demo-kit"]),
    ("millrace-demo-orders", &["millrace-demo-kit", "millrace-demo-consumer"]),
    ("millrace-demo-apps", &["millrace-demo-kit", "millrace-demo-consumer", "millrace-demo-orders"]),
    (
        "millrace-demo",
        &[
            "millrace-demo-kit",
            "millrace-demo-consumer",
            "millrace-demo-users",
            "millrace-demo-orders",
            "millrace-demo-posts",
            "millrace-demo-apps",
        ],
    ),
    ("millrace-crds", &["millrace-contract"]),
    ("millrace-operator", &["millrace-crds", "millrace-contract", "millrace-sql"]),
    ("millrace-cli", &["millrace-crds"]),
    ("xtask", &[]),
];

/// Tests and measurements look at the programs from outside and may use any of them.
const MAY_USE_ANYTHING: &[&str] =
    &["millrace-apiserver", "millrace-bench", "millrace-cluster-tests", "millrace-test-support"];

const LONGEST_FILE: usize = 400;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for what the crate itself uses, `dev` for what its tests use.
    kind: Option<String>,
}

impl Package {
    fn uses(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter(|used| used.kind.as_deref() != Some("dev")).map(|used| used.name.as_str())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies inside the checkout").to_path_buf()
}

fn output(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is text")
}

fn packages() -> Vec<Package> {
    let text = output(Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version=1"]));
    serde_json::from_str::<Metadata>(&text).expect("cargo describes the workspace").packages
}

/// Every Rust file that git knows and that is there, with its text.
fn rust_files() -> Vec<(String, String)> {
    output(Command::new("git").args(["ls-files", "*.rs"]))
        .lines()
        .filter_map(|name| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn crates_point_one_way() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        if MAY_USE_ANYTHING.contains(&package.name.as_str()) {
            continue;
        }
        let Some(allowed) = arrows.get(package.name.as_str()) else {
            wrong.push(format!("{} is new: say in {} what it may use", package.name, file!()));
            continue;
        };
        let ours = package.uses().filter(|name| name.starts_with("millrace-") || *name == "xtask");
        wrong.extend(ours.filter(|name| !allowed.contains(name)).map(|name| format!("{} uses {name}", package.name)));
    }
    assert_none("crates that point the wrong way", wrong);
}

#[test]
fn workloads_know_no_kubernetes() {
    let workloads = root().join("workloads");
    let wrong = packages()
        .iter()
        .filter(|package| package.manifest_path.starts_with(&workloads))
        .flat_map(|package| package.uses().map(|used| format!("{} uses {used}", package.name)).collect::<Vec<_>>())
        .filter(|line| line.contains(" kube") || line.contains(" k8s-openapi"))
        .collect();
    assert_none("workloads that import Kubernetes", wrong);
}

#[test]
fn every_dependency_is_chosen_in_the_workspace() {
    let mut wrong = Vec::new();
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest that cargo has read");
        let mut among_dependencies = false;
        for line in manifest.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[') {
                among_dependencies = section.trim_end_matches(']').ends_with("dependencies");
                if section.contains("dependencies.") {
                    wrong.push(format!("{}: {line} (write `name.workspace = true`)", package.name));
                }
            } else if among_dependencies
                && !line.is_empty()
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                wrong.push(format!("{}: {line}", package.name));
            }
        }
    }
    assert_none("dependencies that the workspace's Cargo.toml does not choose", wrong);
}

#[test]
fn no_file_is_longer_than_400_lines_before_its_tests() {
    let wrong = rust_files()
        .iter()
        .map(|(name, text)| (name, text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()))
        .filter(|&(_, lines)| lines > LONGEST_FILE)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    assert_none("files that say more than one thing", wrong);
}

#[test]
fn every_file_begins_with_a_sentence_that_says_what_it_is() {
    let wrong = rust_files()
        .iter()
        .filter(|(_, text)| {
            let sentence = text.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or("");
            !sentence.contains(' ')
        })
        .map(|(name, _)| name.clone())
        .collect();
    assert_none("files without `//! A sentence.` in their first line", wrong);
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("]].map(|word| word.concat());
    let wrong = rust_files()
        .iter()
        .flat_map(|(name, text)| text.lines().enumerate().map(move |(number, line)| (name, number + 1, line)))
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word.as_str())))
        .map(|(name, number, line)| format!("{name}:{number}: {}", line.trim()))
        .collect();
    assert_none("work left undone", wrong);
}
