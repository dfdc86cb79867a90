//! Thousands of seeded histories of one view, and of one app, in a faulty world: whatever is lost, hidden, killed or changed, the
//! promises hold after every action, and once the faults end it becomes steady.

#![allow(clippy::print_stdout)] // a table of what has met what, for whoever asks with --nocapture

#[path = "../addresses/mod.rs"]
mod addresses;
mod apps;
mod cluster;
mod comparisons;
mod decisions;
mod faults;
mod history;
mod kafka;
mod nature;
mod people;
mod postgres;
mod promises;
mod rows;
mod scripted;
mod shrink;
mod specs;
mod standby;
mod story;
mod tally;
mod world;

use expect_test::expect_file;
use faults::Fault;
use millrace_crds::{AppPhase, RolloutPhase};
use millrace_test_support::script::{SCRIPTS, line_of};
use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use story::Lines;
use tally::{Table, Tally};

/// Histories of a usual test run; `MILLRACE_HISTORIES` asks for more, `MILLRACE_SEED` for others.
const HISTORIES: u64 = 10_000;

/// What histories of views are to have met.
const VIEWS: Table<RolloutPhase> = Table {
    faults: &Fault::OF_VIEWS,
    phases: &[
        None,
        Some(RolloutPhase::Building),
        Some(RolloutPhase::CatchingUp),
        Some(RolloutPhase::Gating),
        Some(RolloutPhase::AwaitingPromotion),
        Some(RolloutPhase::CuttingOver),
        Some(RolloutPhase::Retiring),
        Some(RolloutPhase::Steady),
    ],
};

/// What histories of apps are to have met.
const APPS: Table<AppPhase> = Table {
    faults: &Fault::OF_APPS,
    phases: &[
        None,
        Some(AppPhase::Stopping),
        Some(AppPhase::Draining),
        Some(AppPhase::Resetting),
        Some(AppPhase::Starting),
        Some(AppPhase::CatchingUp),
        Some(AppPhase::Steady),
    ],
};

#[test]
fn every_history_keeps_the_promises_and_becomes_steady() {
    let specs = specs::Specs::compile();
    play_all(&VIEWS, history::STEPS, |seed, skipped, lines| {
        let mut tally = Tally::new(&VIEWS);
        history::History::new(seed, &specs, lines).run(skipped, &mut tally);
        tally
    });
}

#[test]
fn every_history_of_an_app_keeps_the_promises_and_becomes_steady() {
    play_all(&APPS, apps::STEPS, |seed, skipped, lines| {
        let mut tally = Tally::new(&APPS);
        apps::History::new(seed, lines).run(skipped, &mut tally);
        tally
    });
}

/// Plays histories one after another on every core, until one fails.
fn play_all<P: Copy + Ord + Debug + Send + Sync>(
    table: &'static Table<P>,
    steps: usize,
    play: impl Fn(u64, &BTreeSet<usize>, Option<Lines>) -> Tally<P> + Sync,
) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first: u64 = number("MILLRACE_SEED").unwrap_or(0);
    let histories: u64 = number("MILLRACE_HISTORIES").unwrap_or(HISTORIES);
    let all = Mutex::new(Tally::new(table));
    let next = AtomicU64::new(first);
    // The first one that fails, and what every later one has told.
    let failed: Mutex<BTreeSet<u64>> = Mutex::default();
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut tally = Tally::new(table);
                while failed.lock().is_ok_and(|failed| failed.is_empty()) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + histories {
                        break;
                    }
                    match shrink::failure(|| play(seed, &BTreeSet::new(), None)) {
                        Ok(history) => tally.merge(history),
                        Err(_) => _ = failed.lock().map(|mut failed| failed.insert(seed)),
                    }
                }
                let _ = all.lock().map(|mut all| all.merge(tally));
            });
        }
    });
    let story = failed.into_inner().ok().and_then(|failed| failed.first().copied());
    let story = story.map(|seed| shrink::shortest_story(seed, steps, |skipped, lines| play(seed, skipped, lines)));
    let _ = std::panic::take_hook();
    if let Some(story) = story {
        panic!("{story}");
    }
    let all = all.into_inner().expect("no thread has ended badly");
    println!("{all}");
    if histories >= HISTORIES {
        let lacks = all.lacks(histories / 200);
        assert!(lacks.is_empty(), "a world in which nothing happens proves nothing: {}\n{all}", lacks.join("; "));
    }
}

/// A cluster is held to these: what is seen there has been seen here.
#[test]
fn scripts_go_from_phase_to_phase_as_the_file_says() {
    let specs = specs::Specs::compile();
    let mut text = String::new();
    for script in &SCRIPTS {
        for (from, to) in scripted::transitions(script, &specs) {
            text.push_str(&line_of(script.name, &format!("{from:?}"), &format!("{to:?}")));
            text.push('\n');
        }
    }
    expect_file!["../../../tests/support/src/script/transitions.txt"].assert_eq(&text);
}
