//! A history that fails is made short: steps that it fails without are left out, and what remains is told.

use crate::story::Lines;
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
};

/// Runs one history; the sentence that it fails with, if it does.
pub fn failure<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "it panicked".into())
    })
}

/// The story of the shortest history that was found to fail as `seed` does. `play` plays it without the steps that are
/// skipped, and tells it.
pub fn shortest_story<T>(seed: u64, steps: usize, play: impl Fn(&BTreeSet<usize>, Option<Lines>) -> T) -> String {
    let fails = |skipped: &BTreeSet<usize>| failure(|| play(skipped, None)).is_err();
    let mut skipped = BTreeSet::new();
    // Halves, then quarters, …, then single steps.
    let mut size = steps / 2;
    while size > 0 {
        for begin in (0..steps).step_by(size) {
            let shorter: BTreeSet<usize> = skipped.iter().copied().chain(begin..begin + size).collect();
            if shorter.len() > skipped.len() && fails(&shorter) {
                skipped = shorter;
            }
        }
        size /= 2;
    }
    let lines = Lines::default();
    let sentence = failure(|| play(&skipped, Some(lines.clone()))).err().unwrap_or_default();
    let told = lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    format!(
        "history {seed} fails, also with {} of its {steps} steps:\n{told}\n{sentence}",
        steps.saturating_sub(skipped.len())
    )
}
