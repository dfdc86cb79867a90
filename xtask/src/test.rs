//! `cargo xtask test`: every test there is, in stages that print their seconds and end with one closing line.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cargo::cargo;
use crate::checkout::Checkout;
use crate::invocation::Invocation;
use crate::packages;
use crate::programs::Programs;
use crate::recipe::Recipe;
use crate::sabotage;
use crate::stage::Stage;
use crate::test_programs::{self, ON_THE_CLUSTER};
use crate::test_results::TestResults;
use crate::up;

#[derive(Args)]
pub struct TestOptions {
    /// Runs only this stage; may be given several times.
    #[arg(long, value_name = "STAGE", conflicts_with = "skip")]
    only: Vec<TestStage>,
    /// Leaves this stage out; may be given several times.
    #[arg(long, value_name = "STAGE")]
    skip: Vec<TestStage>,
    /// The long form: more random histories, a million keys through one worker, and a million records replayed on the
    /// cluster while all that can be killed is killed.
    #[arg(long)]
    soak: bool,
    /// Every named fault of tests/sabotage.yaml, not only those that each run tries.
    #[arg(long)]
    sabotage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TestStage {
    /// rustfmt has nothing to change.
    Format,
    /// clippy has nothing to say.
    Lints,
    /// Every test program is compiled: nothing else needs the processors then.
    Build,
    /// Everything that needs no cluster, with a real Postgres and a real API server where a test takes one.
    Unit,
    /// Images are built and the cluster runs them, as after `cargo xtask up`.
    Up,
    /// The tests on the real cluster.
    Cluster,
    /// Named faults are switched on, and the tests must notice.
    Sabotage,
}

impl TestStage {
    const ALL: [Self; 7] =
        [Self::Format, Self::Lints, Self::Build, Self::Unit, Self::Up, Self::Cluster, Self::Sabotage];
    /// On a machine that has no API server's programs yet: they are made with the node image, or come out of a node.
    const ON_A_NEW_MACHINE: [Self; 7] =
        [Self::Format, Self::Lints, Self::Build, Self::Up, Self::Unit, Self::Cluster, Self::Sabotage];
}

impl TestOptions {
    fn stages(&self, new_machine: bool) -> Vec<TestStage> {
        let all = if new_machine { TestStage::ON_A_NEW_MACHINE } else { TestStage::ALL };
        let wanted = |stage: &TestStage| {
            if self.only.is_empty() { !self.skip.contains(stage) } else { self.only.contains(stage) }
        };
        all.into_iter().filter(wanted).collect()
    }
}

/// Stops at the first stage that fails; the closing line is printed in any case.
pub fn test(checkout: &Checkout, options: &TestOptions) -> Result<()> {
    let started = Instant::now();
    let mut results = TestResults::default();
    let mut seconds = Vec::new();
    let outcome = prepare(checkout).and_then(|()| {
        let new_machine = !Recipe::read(checkout)?.has_programs(&["etcd", "kube-apiserver"]);
        options.stages(new_machine).into_iter().try_for_each(|stage| {
            let stage_started = Instant::now();
            let outcome = run(checkout, options, stage, &mut results);
            seconds.push((stage, stage_started.elapsed().as_secs_f64()));
            outcome
        })
    });
    println!();
    for (stage, seconds) in seconds {
        println!("{seconds:>7.1} s  {}", name(stage));
    }
    println!("{:>7.1} s  in all", started.elapsed().as_secs_f64());
    for failure in &results.failures {
        println!("FAILED  {failure}");
    }
    if let Err(error) = &outcome {
        println!("\n{error:#}\n");
    }
    println!("{results}");
    outcome.map_err(|_| anyhow::anyhow!("the tests did not pass; the reason is above"))
}

fn name(stage: TestStage) -> String {
    stage.to_possible_value().map_or_else(|| format!("{stage:?}"), |value| value.get_name().to_owned())
}

/// Packages that compiling and testing take; the cluster's own come with `up`.
fn prepare(checkout: &Checkout) -> Result<()> {
    let mut wanted = packages::missing(packages::FOR_THE_BUILD);
    wanted.extend(packages::missing(packages::FOR_THE_IMAGES));
    wanted.extend(packages::missing(packages::FOR_THE_TESTS));
    if wanted.is_empty() {
        return Ok(());
    }
    println!("This machine lacks some packages, and will get, by apt-get: {}", packages::names(&wanted));
    Stage::run(checkout, "packages", "install them by hand; the log has apt-get's words", |stage| {
        packages::install(stage, &wanted)?;
        Ok(((), packages::names(&wanted)))
    })
}

fn run(checkout: &Checkout, options: &TestOptions, stage: TestStage, results: &mut TestResults) -> Result<()> {
    let cargo = || cargo().directory(checkout.root());
    match stage {
        TestStage::Format => check(checkout, "rustfmt", "`cargo fmt --all`", cargo().args(["fmt", "--all", "--check"])),
        TestStage::Lints => {
            // Neither `--all-targets` nor plain `cargo test` takes the tests on the cluster along: they are named.
            for (title, targets) in
                [("clippy", &["--all-targets"][..]), ("clippy of cluster tests", &["--test", ON_THE_CLUSTER])]
            {
                let run = cargo().args(["clippy", "--workspace"]).args(targets).args(["--", "-D", "warnings"]);
                check(checkout, title, "the log has every finding with its place", run)?;
            }
            Ok(())
        }
        TestStage::Build => test_programs::build(checkout, options.soak).map(|_| ()),
        TestStage::Up => up::up(checkout),
        TestStage::Unit => test_programs::run(checkout, options.soak, results),
        TestStage::Cluster => {
            let programs = Programs::at_hand(&Recipe::read(checkout)?)?;
            // By the names of their modules: those of the long form run when it is asked for.
            let long = options.soak.then_some(("cluster tests of the long form", "soak::", "1"));
            [("cluster tests side by side", "together::", "3"), ("cluster tests one by one", "alone::", "1")]
                .into_iter()
                .chain(long)
                .try_for_each(|(title, module, threads)| {
                    // By its name in the whole workspace, not by package: see `cargo::build`.
                    let run = cargo().env("PATH", programs.search_path()).args([
                        "test",
                        "--workspace",
                        "--test",
                        ON_THE_CLUSTER,
                        "--",
                        module,
                        "--test-threads",
                        threads,
                    ]);
                    tests(checkout, title, run, results, |stage, line| {
                        if line.starts_with("test ") && line.contains(" ... ") {
                            stage.say(line);
                        }
                    })
                })
        }
        TestStage::Sabotage => sabotage::run(checkout, options.sabotage, results),
    }
}

fn check(checkout: &Checkout, title: &'static str, mend: &str, run: Invocation) -> Result<()> {
    Stage::run(checkout, title, mend, |stage| {
        run.run_logged(stage.log(), |_| {})?;
        Ok(((), String::new()))
    })
}

/// Counts what the runners said also when they failed.
fn tests(
    checkout: &Checkout,
    title: &'static str,
    run: Invocation,
    results: &mut TestResults,
    watch: impl Fn(&Stage, &str),
) -> Result<()> {
    Stage::run(checkout, title, "each failed test's own words are in the log", |stage| {
        let outcome = run.run_logged(stage.log(), |line| watch(stage, line));
        let log = fs::read(stage.log()).with_context(|| format!("cannot read {}", stage.log().display()))?;
        let found = TestResults::parse(&String::from_utf8_lossy(&log));
        *results += &found;
        outcome?;
        if found.passed == 0 {
            bail!("not one test ran: a stage without tests proves nothing");
        }
        Ok(((), found.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(only: &[TestStage], skip: &[TestStage]) -> Vec<TestStage> {
        TestOptions { only: only.to_vec(), skip: skip.to_vec(), soak: false, sabotage: false }.stages(false)
    }

    #[test]
    fn stages_run_in_their_own_order_whatever_order_they_are_asked_for_in() {
        assert_eq!(stages(&[], &[]), TestStage::ALL);
        assert_eq!(stages(&[TestStage::Cluster, TestStage::Format], &[]), [TestStage::Format, TestStage::Cluster]);
        assert_eq!(
            stages(&[], &[TestStage::Up, TestStage::Cluster, TestStage::Sabotage]),
            [TestStage::Format, TestStage::Lints, TestStage::Build, TestStage::Unit]
        );
    }
}
