//! Who should hold which tasks, and how fast they are read: decided from the catalog's rows alone, by every worker for
//! itself.

use millrace_connectors::postgres::TaskRow;
use std::collections::BTreeSet;

/// What a worker does about its share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Tasks to try for.
    pub claim: Vec<i32>,
    /// At most one task a turn: the others never stop.
    pub give_back: Option<i32>,
}

/// Fair share is ceil(tasks / live workers). What was held under this worker's name before it was started again is
/// taken back whatever its share: nobody else can have it until the lease ends.
pub fn decide(tasks: &[TaskRow], held: &BTreeSet<i32>, holder: &str, live_workers: i64) -> Decision {
    let share = tasks.len().div_ceil(usize::try_from(live_workers.max(1)).unwrap_or(1));
    let mut decision = Decision::default();
    let mut room = share.saturating_sub(held.len());
    for task in tasks.iter().filter(|task| !held.contains(&task.partition)) {
        if task.holder.as_deref() == Some(holder) {
            decision.claim.push(task.partition);
            room = room.saturating_sub(1);
        }
    }
    for task in tasks.iter().filter(|task| !held.contains(&task.partition)) {
        if room > 0 && task.free && task.holder.as_deref() != Some(holder) {
            decision.claim.push(task.partition);
            room -= 1;
        }
    }
    if decision.claim.is_empty() && held.len() > share {
        decision.give_back = held.last().copied();
    }
    decision
}

/// Records a second that a worker reads: as much of its revision's pace as it holds of the tasks. So a task is read no
/// faster because the worker that held it before is gone.
pub fn limit(pace: Option<i64>, held: usize, tasks: usize) -> Option<f64> {
    pace.map(|pace| pace as f64 * held as f64 / tasks.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `me`: held by me in the catalog, `they`: by another, `-`: free, `old`: held by another whose lease ran out.
    fn check(tasks: &str, held: &[i32], live_workers: i64, expected: (&[i32], Option<i32>)) {
        let tasks: Vec<TaskRow> = tasks
            .split_whitespace()
            .enumerate()
            .map(|(partition, word)| TaskRow {
                partition: partition as i32,
                holder: match word {
                    "me" => Some("user-view-1".into()),
                    "they" | "old" => Some("user-view-2".into()),
                    _ => None,
                },
                owner: 1,
                free: matches!(word, "-" | "old"),
                ending: word == "old",
                next_offset: 0,
                problem: None,
                records: 0,
                dead_letters: 0,
                hold: None,
            })
            .collect();
        let decision = decide(&tasks, &held.iter().copied().collect(), "user-view-1", live_workers);
        assert_eq!((decision.claim.as_slice(), decision.give_back), expected);
    }

    #[test]
    fn the_first_worker_takes_everything() {
        check("- - - - - -", &[], 1, (&[0, 1, 2, 3, 4, 5], None));
        check("- - - - - -", &[], 0, (&[0, 1, 2, 3, 4, 5], None));
    }

    #[test]
    fn a_worker_takes_its_share_and_no_more() {
        check("- - - - - -", &[], 4, (&[0, 1], None));
        check("they - they - - -", &[], 2, (&[1, 3, 4], None));
        check("they me they - - -", &[1], 2, (&[3, 4], None));
    }

    #[test]
    fn a_lease_that_ran_out_is_free() {
        check("old old they they they me", &[5], 2, (&[0, 1], None));
    }

    #[test]
    fn surplus_is_given_back_one_at_a_time() {
        check("me me me me me me", &[0, 1, 2, 3, 4, 5], 2, (&[], Some(5)));
        check("me me me they they -", &[0, 1, 2], 2, (&[], None));
    }

    #[test]
    fn a_worker_reads_as_much_of_the_pace_as_it_holds_of_the_tasks() {
        assert_eq!(limit(None, 2, 6), None);
        assert_eq!(limit(Some(0), 2, 6), Some(0.0));
        assert_eq!(limit(Some(3_000), 2, 6), Some(1_000.0));
        assert_eq!(limit(Some(1), 1, 4), Some(0.25));
        assert_eq!(limit(Some(3_000), 0, 0), Some(0.0));
    }

    #[test]
    fn what_was_held_under_this_name_is_taken_back_before_it_is_shared() {
        check("me me me me me they", &[], 2, (&[0, 1, 2, 3, 4], None));
    }
}
