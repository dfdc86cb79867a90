//! Named faults for crash and sabotage tests: chosen by `MILLRACE_FAULT=name[:n]`, absent from release builds.
//!
//! A step (`after_fence`) ends the process there, as kill −9 would, at its n-th pass. A sabotage (`no_owner_check`)
//! breaks one rule for as long as the process runs; the suite must notice each of them.

/// The places at which a process can be ended: in an epoch's transaction, in its order, and after a claim.
pub const STEPS: &[&str] = &[
    // The transaction has begun and done nothing.
    "after_begin",
    // Positions are advanced and their rows locked.
    "after_fence",
    // The advisory locks of shared state are held.
    "after_locks",
    // Old rows and state are read.
    "after_fetch",
    // Rows and state are written.
    "after_rows",
    // Dead letters are written.
    "after_dead_letters",
    // Everything is written, nothing is committed.
    "before_commit",
    // Postgres has committed, and nobody else knows.
    "after_commit",
    // Tasks are claimed, outside of a transaction of rows, and not yet read.
    "after_claim",
];

/// The rules that can be broken. tests/sabotage.yaml says which tests notice, and docs/faults.md shows both lists.
pub const SABOTAGES: &[&str] = &[
    // The fence looks neither at the owner nor at the position.
    "no_owner_check",
    // After a lost connection the worker goes on from what it remembers.
    "trust_memory_after_reconnect",
    // Positions are committed in a transaction of their own before the rows.
    "positions_before_rows",
    // Records without a value are passed over.
    "ignore_tombstone",
    // Rows are written in an order of each worker's own.
    "unsorted_keys",
    // The record written last wins, whatever its version.
    "skip_version_check",
    // min and max over a Table are not looked up again.
    "extremes_not_recomputed",
    // Groups without rows stay.
    "drop_zero_delete",
    // Shared state is read without the advisory locks.
    "no_advisory_lock",
    // Operators that read what other workers write do not take turns.
    "no_turns",
    // Nobody looks whether a key lies in several partitions.
    "ignore_partitioner",
    // A record that cannot be applied leaves no dead letter.
    "forget_dead_letters",
    // The last record of an epoch is passed over.
    "skip_one_record",
    // A topic made again under the same name is read on.
    "ignore_topic_id",
    // A revision that is built is read as fast as its workers can.
    "ignore_pace",
    // An epoch goes past the offset that its partition is held at.
    "ignore_hold",
    // The operator swaps whatever the positions of the two revisions are.
    "swap_without_comparing",
    // The workers of a live revision that is fenced stay its owners.
    "fence_keeps_owners",
    // A live revision that is fenced stays fenced.
    "fence_without_end",
    // The switch goes while a reader's snapshot is older than the cut-over.
    "plain_too_early",
    // A revision is dropped although it is live, shown or open by now.
    "drop_without_looking",
    // A revision is dropped while a reader's snapshot is older than the cut-over.
    "drop_under_readers",
    // A replay that has acted is planned once more.
    "replay_acts_twice",
    // A replay that has acted is accepted once more.
    "replay_accepted_twice",
    // A request that has acted is obeyed once more.
    "request_acts_twice",
    // What an assertion answered is not looked at.
    "gate_ignored",
    // Revisions are compared wherever they stand.
    "compare_anywhere",
    // A revision with other rows goes live where equal ones are required.
    "unequal_goes_live",
    // A revision goes live without the person who has a say in it.
    "person_not_awaited",
    // What could not be asked is taken for what is not there.
    "unknown_is_absent",
    // A replay begins past what the live revision began with.
    "history_discarded",
    // A new revision begins where retention has left off.
    "truncation_accepted",
];

#[cfg(debug_assertions)]
mod chosen {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("MILLRACE_FAULT").ok().filter(|text| !text.is_empty())?;
        let (name, pass) = text.split_once(':').unwrap_or((&text, "1"));
        let known = super::STEPS.contains(&name) || super::SABOTAGES.contains(&name);
        assert!(known, "MILLRACE_FAULT is {name:?}; write one of {:?} or {:?}", super::STEPS, super::SABOTAGES);
        Some((name.to_owned(), pass.parse().expect("MILLRACE_FAULT is name or name:number")))
    });
    static PASSES: AtomicU64 = AtomicU64::new(0);

    pub fn sabotaged(name: &str) -> bool {
        debug_assert!(super::SABOTAGES.contains(&name));
        CHOSEN.as_ref().is_some_and(|(chosen, _)| chosen == name)
    }

    pub fn step(name: &str) {
        debug_assert!(super::STEPS.contains(&name));
        if let Some((chosen, pass)) = CHOSEN.as_ref()
            && chosen == name
            && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == *pass
        {
            std::process::abort();
        }
    }
}

/// Whether this rule is broken on purpose.
#[cfg(debug_assertions)]
pub fn sabotaged(name: &str) -> bool {
    chosen::sabotaged(name)
}

/// Ends the process here when this step was chosen.
#[cfg(debug_assertions)]
pub fn step(name: &str) {
    chosen::step(name)
}

#[cfg(not(debug_assertions))]
pub const fn sabotaged(_name: &str) -> bool {
    false
}

#[cfg(not(debug_assertions))]
pub const fn step(_name: &str) {}
