//! Named faults, switched on one at a time: the tests named for a fault must go red, each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cargo::cargo;
use crate::checkout::Checkout;
use crate::invocation::begin_log;
use crate::stage::Stage;
use crate::test_results::TestResults;

#[cfg(test)]
mod page;

pub const LIST: &str = "tests/sabotage.yaml";
/// Says which fault is on; release builds do not know it.
const SWITCH: &str = "MILLRACE_FAULT";
/// As many histories of the operator's simulation meet each of its faults, several times over.
const FEW_HISTORIES: (&str, &str) = ("MILLRACE_HISTORIES", "300");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    /// What is wrong while the fault is on, as a sentence.
    breaks: String,
    /// The integration test that notices, by the name of its file; absent for tests inside the crates.
    target: Option<String>,
    /// Parts of the names of the tests that notice.
    tests: Vec<String>,
    /// True for the few that every run of the tests tries.
    #[serde(default)]
    always: bool,
}

/// Runs the faults that every run tries, or all of them. A fault that was caught counts as one test passed.
pub fn run(checkout: &Checkout, all: bool, results: &mut TestResults) -> Result<()> {
    let mend =
        "a fault that nothing notices is a test that is missing: write it, or repair the one that used to notice";
    Stage::run(checkout, "sabotage", mend, |stage| {
        let path = checkout.path(LIST);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let faults = parse(&text).with_context(|| format!("{LIST} is no list of faults"))?;
        let chosen: Vec<&Fault> = faults.iter().filter(|fault| all || fault.always).collect();
        check_green_without_faults(checkout, stage, &chosen)?;
        let mut unnoticed = Vec::new();
        for fault in &chosen {
            let found = test(checkout, stage, fault.target.as_deref(), &fault.tests, Some(&fault.name))?;
            match judge(&found) {
                Ok(caught_by) => {
                    results.passed += 1;
                    stage.say(&format!("{} was caught by {caught_by}", fault.name));
                }
                Err(reason) => {
                    results.failed += 1;
                    results.failures.push(format!("sabotage {}", fault.name));
                    unnoticed.push(format!("{}: {reason} ({})", fault.name, fault.breaks));
                }
            }
        }
        if !unnoticed.is_empty() {
            bail!("{}", unnoticed.join("; "));
        }
        Ok(((), format!("{} faults, each caught", chosen.len())))
    })
}

/// The same tests with no fault on must be green: otherwise red proves nothing.
fn check_green_without_faults(checkout: &Checkout, stage: &Stage, faults: &[&Fault]) -> Result<()> {
    let mut tests: BTreeMap<Option<&str>, BTreeSet<String>> = BTreeMap::new();
    for fault in faults {
        tests.entry(fault.target.as_deref()).or_default().extend(fault.tests.iter().cloned());
    }
    for (target, filters) in tests {
        let filters: Vec<String> = filters.into_iter().collect();
        let found = test(checkout, stage, target, &filters, None)?;
        if found.failed > 0 || found.passed == 0 {
            bail!(
                "{} is not green before any fault is on: {found} {}",
                target.unwrap_or("a crate"),
                found.failures.join(" ")
            );
        }
    }
    Ok(())
}

fn test(
    checkout: &Checkout,
    stage: &Stage,
    target: Option<&str>,
    filters: &[String],
    fault: Option<&str>,
) -> Result<TestResults> {
    let log = begin_log(&checkout.log(&format!("sabotage-{}", fault.unwrap_or("off"))))?;
    let which = target.map_or(vec!["--lib"], |name| vec!["--test", name]);
    let tests = || cargo().directory(checkout.root()).args(["test", "--workspace", "--no-fail-fast"]).args(&which);
    // A build that fails is not a test that fails.
    tests().arg("--no-run").run_logged(stage.log(), |_| {})?;
    let run = tests().arg("--").args(filters).env(SWITCH, fault.unwrap_or("")).env(FEW_HISTORIES.0, FEW_HISTORIES.1);
    // The outcome is read from what the runner says, test by test.
    let _ = run.run_logged(&log, |_| {});
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(TestResults::parse(&String::from_utf8_lossy(&text)))
}

fn judge(found: &TestResults) -> Result<String, &'static str> {
    match (found.failed, found.passed) {
        (0, 0) => Err("no test of that name ran"),
        (0, _) => Err("every test stayed green"),
        (_, _) => Ok(found.failures.join(", ")),
    }
}

fn parse(text: &str) -> Result<Vec<Fault>> {
    let Faults { faults } = serde_yaml::from_str(text)?;
    if let Some(fault) = faults.iter().find(|fault| fault.tests.is_empty()) {
        bail!("fault {} names no test in `tests`", fault.name);
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_caught_only_by_a_test_that_ran_and_failed() {
        let results = |passed, failed: &[&str]| TestResults {
            passed,
            failed: failed.len() as u64,
            failures: failed.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(judge(&results(3, &["law::retractions"])), Ok("law::retractions".into()));
        assert_eq!(judge(&results(3, &[])), Err("every test stayed green"));
        assert_eq!(judge(&results(0, &[])), Err("no test of that name ran"));
    }

    #[test]
    fn a_fault_without_tests_is_refused() {
        let error = parse("faults: [{name: sign, breaks: Minus is plus., target: law, tests: []}]").unwrap_err();
        assert!(error.to_string().contains("sign names no test"), "{error}");
    }
}
