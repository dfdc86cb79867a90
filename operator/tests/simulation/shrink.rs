//! A history that fails is made short: steps that it fails without are left out, and what remains is told.

use crate::{
    history::{History, STEPS},
    specs::Specs,
    story::Lines,
    tally::Tally,
};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
};

/// Runs one history; the sentence that it fails with, if it does.
pub fn failure(seed: u64, specs: &Specs, skipped: &BTreeSet<usize>, lines: Option<Lines>) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let run = AssertUnwindSafe(|| History::new(seed, specs, lines).run(skipped, &mut tally));
    match catch_unwind(run) {
        Ok(()) => Ok(tally),
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".into())),
    }
}

/// The story of the shortest history that was found to fail as `seed` does.
pub fn shortest_story(seed: u64, specs: &Specs) -> String {
    let fails = |skipped: &BTreeSet<usize>| failure(seed, specs, skipped, None).is_err();
    let mut skipped = BTreeSet::new();
    // Halves, then quarters, …, then single steps.
    let mut size = STEPS / 2;
    while size > 0 {
        for begin in (0..STEPS).step_by(size) {
            let shorter: BTreeSet<usize> = skipped.iter().copied().chain(begin..begin + size).collect();
            if shorter.len() > skipped.len() && fails(&shorter) {
                skipped = shorter;
            }
        }
        size /= 2;
    }
    let lines = Lines::default();
    let sentence = failure(seed, specs, &skipped, Some(lines.clone())).err().unwrap_or_default();
    let told = lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    format!(
        "history {seed} fails, also with {} of its {STEPS} steps:\n{told}\n{sentence}",
        STEPS.saturating_sub(skipped.len())
    )
}
