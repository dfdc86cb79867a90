//! When dead letters are too many.

use millrace_connectors::postgres::{ErrorsPolicy, Survey};

/// Below this number of records a share of them says nothing.
const MINIMUM_RECORDS: i64 = 1_000;

/// Whether `dead_letters` of `records` are more than `stop_above` per 10,000.
pub fn too_many(records: i64, dead_letters: i64, stop_above: Option<i32>) -> Option<String> {
    let limit = i128::from(stop_above?);
    let exceeded = records >= MINIMUM_RECORDS && i128::from(dead_letters) * 10_000 > limit * i128::from(records);
    exceeded.then(|| {
        format!(
            "{dead_letters} of {records} records were not applied, more than the {} per 10,000 that errors.stopAbove allows. Look at millrace.dead_letter, then raise stopAbove or replay",
            limit
        )
    })
}

/// Why this revision stands still by its errors policy, as of now.
pub fn stopped(survey: &Survey) -> Option<String> {
    let records = survey.tasks.iter().map(|task| task.records).sum();
    let dead_letters = survey.tasks.iter().map(|task| task.dead_letters).sum();
    too_many(records, dead_letters, survey.stop_above)
}

/// Whether a task that was stopped by its errors may go on under the policy of now.
pub fn may_go_on(survey: &Survey) -> bool {
    survey.policy != ErrorsPolicy::Stop && stopped(survey).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_looked_at_only_once_it_says_something() {
        assert_eq!(too_many(999, 999, Some(100)), None);
        assert_eq!(too_many(1_000, 10, Some(100)), None);
        assert!(too_many(1_000, 11, Some(100)).is_some());
        assert_eq!(too_many(1_000_000, 1_000_000, None), None);
        assert!(too_many(1_000, 1, Some(0)).is_some());
        assert!(too_many(i64::MAX, i64::MAX, Some(9_999)).is_some());
    }
}
