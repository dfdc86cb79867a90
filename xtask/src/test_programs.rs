//! The test programs that need no cluster, a few at a time: most of them wait for brokers, leases and clocks.

use std::collections::VecDeque;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Error, Result, bail};

use crate::cargo::{self, Program, cargo};
use crate::checkout::Checkout;
use crate::invocation::{Invocation, begin_log};
use crate::stage::Stage;
use crate::test_results::TestResults;
use crate::test_run::{self, TestRun};

/// These take minutes, nearly all of them waiting: they begin first.
const LONGEST: [&str; 4] = ["operator", "worker", "simulation", "programs"];
const MEND: &str = "each failed test's own words are in the log that it names";

/// The tests on the cluster, by the name of their program: cargo compiles them only when it is named.
pub const ON_THE_CLUSTER: &str = "cluster";
/// What the long form runs beside them.
const LONG: [&str; 1] = ["memory"];
/// Histories of the operator's simulation in the long form; the simulation's own number otherwise.
const LONG_HISTORIES: (&str, &str) = ("MILLRACE_HISTORIES", "50000");

/// Compiles every test program, and the programs that tests start; those on the cluster too.
pub fn build(checkout: &Checkout, soak: bool) -> Result<Vec<Program>> {
    Stage::run(checkout, "test programs", "the log has the compiler's words", |stage| {
        stage.say("compiling the tests (minutes from an empty cache)");
        let mut programs = cargo::build(checkout, stage, "test", ["--no-run"])?;
        if soak {
            let named = LONG.iter().flat_map(|name| ["--test", name]);
            programs.extend(cargo::build(checkout, stage, "test", named.chain(["--no-run"]))?);
        }
        cargo::build(checkout, stage, "test", ["--test", ON_THE_CLUSTER, "--no-run"])?;
        programs.retain(|program| program.is_test);
        let said = format!("{} of them", programs.len());
        Ok((programs, said))
    })
}

/// Runs every test program that needs no cluster to its end, also after one failed.
pub fn run(checkout: &Checkout, soak: bool, results: &mut TestResults) -> Result<()> {
    let mut programs = build(checkout, soak)?;
    programs.sort_by_key(|program| {
        let place = LONGEST.iter().position(|name| *name == program.name);
        (place.unwrap_or(LONGEST.len()), program.name.clone())
    });
    let queue = Mutex::new(VecDeque::from(programs));
    Stage::run(checkout, "unit tests", MEND, |stage| {
        let lanes = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let shared = TestRun::begin(checkout)?;
        let outcomes = thread::scope(|scope| {
            let one = || lane(checkout, stage, soak, &shared, &queue);
            let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(one)).collect();
            lanes.into_iter().flat_map(|lane| lane.join().unwrap_or_else(|_| vec![Err(broken())])).collect::<Vec<_>>()
        });
        let mut found = TestResults::default();
        let mut troubles = Vec::new();
        for outcome in outcomes.into_iter().chain([documentation(checkout, stage)]) {
            match outcome {
                Ok(of_one) => found += &of_one,
                Err(error) => troubles.push(format!("{error:#}")),
            }
        }
        *results += &found;
        if !troubles.is_empty() || found.failed > 0 {
            bail!("{found}; {} {}", found.failures.join(" "), troubles.join("; "));
        }
        if found.passed == 0 {
            bail!("not one test ran: a stage without tests proves nothing");
        }
        Ok(((), found.to_string()))
    })
}

fn broken() -> Error {
    Error::msg("a lane of test programs ended before its last one")
}

fn lane(
    checkout: &Checkout,
    stage: &Stage,
    soak: bool,
    shared: &TestRun,
    queue: &Mutex<VecDeque<Program>>,
) -> Vec<Result<TestResults>> {
    let next = || queue.lock().ok()?.pop_front();
    std::iter::from_fn(next).map(|program| run_one(checkout, stage, soak, shared, &program)).collect()
}

fn run_one(checkout: &Checkout, stage: &Stage, soak: bool, shared: &TestRun, program: &Program) -> Result<TestResults> {
    let started = Instant::now();
    let package = program.package.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("test-{package}-{}", program.name);
    let log = begin_log(&checkout.log(&title))?;
    // As cargo would run it.
    let mut run = Invocation::new(&program.path)
        .directory(&program.package)
        .env("CARGO_MANIFEST_DIR", &program.package)
        .env(test_run::VARIABLE, &shared.folder);
    if soak {
        run = run.env(LONG_HISTORIES.0, LONG_HISTORIES.1);
    }
    let outcome = run.run_logged(&log, |_| {});
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let found = TestResults::parse(&String::from_utf8_lossy(&text));
    let seconds = started.elapsed().as_secs_f64();
    if found != TestResults::default() {
        stage.say(&format!("{package} {}: {found} in {seconds:.1} s", program.name));
    }
    match outcome {
        // A program that dies has no closing line, and no failed test to its name.
        Err(error) if found.failed == 0 => Err(error.context(format!("{package} {}", program.name))),
        Err(_) => {
            stage.say(&format!("{package} {} failed, its log is {}", program.name, log.display()));
            Ok(found)
        }
        Ok(()) => Ok(found),
    }
}

fn documentation(checkout: &Checkout, stage: &Stage) -> Result<TestResults> {
    cargo().directory(checkout.root()).args(["test", "--workspace", "--doc"]).run_logged(stage.log(), |_| {})?;
    let text = fs::read(stage.log()).with_context(|| format!("cannot read {}", stage.log().display()))?;
    Ok(TestResults::parse(&String::from_utf8_lossy(&text)))
}
