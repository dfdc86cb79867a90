//! `docs/faults.md`: the rules and steps that a fault can be, written from the list and from the source, and held to both.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::{Fault, LIST, parse};

const HEAD: &str = include_str!("page.md");
/// Where the programs know their faults.
const SOURCE: &str = include_str!("../../../workloads/contract/src/faults.rs");

fn listed() -> Vec<Fault> {
    parse(include_str!("../../../tests/sabotage.yaml")).expect("the list can be read")
}

/// The names in a constant of the source, each with the comment before it.
fn in_source(constant: &str) -> Vec<(&'static str, &'static str)> {
    let start = SOURCE.find(&format!("pub const {constant}:")).expect("the constant is there");
    let mut comment = "";
    let mut names = Vec::new();
    for line in SOURCE[start..].lines().skip(1).map(str::trim).take_while(|line| *line != "];") {
        match line.strip_prefix("// ") {
            Some(said) => comment = said,
            None => names.push((line.trim_end_matches(',').trim_matches('"'), std::mem::take(&mut comment))),
        }
    }
    names
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Rules\n\n| name | what is wrong | who notices | tried by |\n|---|---|---|---|\n");
    for Fault { name, breaks, target, tests, always } in listed() {
        let file = target.as_deref().unwrap_or("lib");
        let tests: Vec<String> = tests.iter().map(|test| format!("`{file}::{test}`")).collect();
        let when = if always { "every run" } else { "`--sabotage`" };
        // Writing to a String does not fail.
        let _ = writeln!(page, "| `{name}` | {breaks} | {} | {when} |", tests.join("<br>"));
    }
    page.push_str("\n## Steps\n\n| name | what has happened |\n|---|---|\n");
    for (name, comment) in in_source("STEPS") {
        let _ = writeln!(page, "| `{name}` | {comment} |");
    }
    page
}

#[test]
fn the_page_is_what_the_list_and_the_source_give() {
    expect_file!["../../../docs/faults.md"].assert_eq(&page());
}

#[test]
fn the_list_has_the_rules_of_the_source_and_no_others() {
    let source: Vec<&str> = in_source("SABOTAGES").into_iter().map(|(name, _)| name).collect();
    let listed = listed();
    let listed: Vec<&str> = listed.iter().map(|fault| fault.name.as_str()).collect();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a name stands twice in {LIST}");
    assert_eq!(unique, source.into_iter().collect(), "{LIST} and the source name other rules");
}

#[test]
fn every_step_is_described() {
    let silent: Vec<&str> =
        in_source("STEPS").into_iter().filter(|(_, comment)| comment.is_empty()).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "write a comment before {silent:?}");
}

#[test]
fn the_tests_that_notice_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let workloads = fs::read_dir(root.join("workloads")).expect("the workloads").flatten().map(|folder| folder.path());
    let crates: Vec<PathBuf> = workloads.chain([root.join("operator")]).collect();
    for fault in listed() {
        let Some(target) = fault.target else { continue };
        let text: String = crates.iter().flat_map(|folder| files_of(&folder.join("tests"), &target)).collect();
        for test in fault.tests {
            assert!(text.contains(&format!("fn {test}")), "{}: {target} has no test {test}", fault.name);
        }
    }
}

/// The texts of a test program, which is a file or a folder of them.
fn files_of(tests: &Path, target: &str) -> Vec<String> {
    let folder = fs::read_dir(tests.join(target)).into_iter().flatten().flatten().map(|file| file.path());
    let files = folder.chain([tests.join(format!("{target}.rs"))]);
    files.filter_map(|file| fs::read_to_string(file).ok()).collect()
}
