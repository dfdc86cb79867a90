//! What test runners say: how many tests passed and failed, and which.

use std::fmt;
use std::ops::AddAssign;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TestResults {
    pub passed: u64,
    pub failed: u64,
    /// Names of failed tests, as the runner prints them.
    pub failures: Vec<String>,
}

impl TestResults {
    /// Sums every `test result:` line of a log, which holds one for each test program.
    pub fn parse(log: &str) -> Self {
        let mut results = Self::default();
        for line in log.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                results.passed += count(counts, "passed");
                results.failed += count(counts, "failed");
            } else if let Some(name) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED")) {
                results.failures.push(name.to_owned());
            }
        }
        results
    }
}

/// The number before a word, as in `12 passed;`.
fn count(counts: &str, word: &str) -> u64 {
    counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok()).unwrap_or(0)
}

impl AddAssign<&TestResults> for TestResults {
    fn add_assign(&mut self, other: &TestResults) {
        let TestResults { passed, failed, failures } = other;
        self.passed += passed;
        self.failed += failed;
        self.failures.extend_from_slice(failures);
    }
}

impl fmt::Display for TestResults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_the_sums_over_all_test_programs_and_name_what_failed() {
        let results = TestResults::parse(
            "test 이름::홍길동 ... ok\n\
             test state::a_delete_stays ... FAILED\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s\n\
             \n\
             test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.50s\n",
        );
        assert_eq!(results.to_string(), "41 passed, 1 failed");
        assert_eq!(results.failures, ["state::a_delete_stays"]);
    }

    #[test]
    fn a_log_without_tests_counts_nothing() {
        assert_eq!(TestResults::parse("warning: test result is near\n"), TestResults::default());
    }
}
