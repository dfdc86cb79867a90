//! Thousands of seeded histories of one view in a faulty world: whatever is lost, hidden, killed or changed, the
//! promises hold after every action, and once the faults end the view becomes steady.

mod cluster;
mod decisions;
mod faults;
mod history;
mod kafka;
mod postgres;
mod promises;
mod specs;
mod world;

use history::History;

/// Histories of a usual test run; `MILLRACE_HISTORIES` asks for more.
const HISTORIES: u64 = 1_000;

#[test]
fn every_history_keeps_the_promises_and_becomes_steady() {
    let asked = std::env::var("MILLRACE_HISTORIES").ok().and_then(|text| text.parse().ok());
    let first = std::env::var("MILLRACE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let specs = specs::Specs::compile();
    let mut tally = history::Tally::default();
    for seed in first..first + asked.unwrap_or(HISTORIES) {
        History::new(seed, &specs).run(&mut tally);
    }
    // A world in which nothing happens proves nothing.
    let enough = asked.unwrap_or(HISTORIES) / 20;
    for (what, count) in tally.counts() {
        assert!(count >= enough, "{what} happened {count} times in all histories, expected at least {enough}");
    }
}
