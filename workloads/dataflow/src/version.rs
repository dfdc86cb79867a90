//! Which of two records of one key is the newer one.

/// Where a record stands in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

impl Version {
    /// Same partition: the higher offset. Another partition (the topic was grown and the key moved): the higher
    /// timestamp, then the higher partition. A record is not newer than itself, so reading it again changes nothing.
    pub fn is_newer_than(self, other: Version) -> bool {
        if self.partition == other.partition {
            self.offset > other.offset
        } else {
            (self.timestamp, self.partition) > (other.timestamp, other.partition)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_decide_within_a_partition_and_timestamps_between_two() {
        let version = |partition, offset, timestamp| Version { partition, offset, timestamp };
        assert!(version(0, 2, 10).is_newer_than(version(0, 1, 99)));
        assert!(!version(0, 1, 99).is_newer_than(version(0, 1, 10)));
        assert!(version(1, 0, 11).is_newer_than(version(0, 9, 10)));
        assert!(version(1, 0, 10).is_newer_than(version(0, 9, 10)));
        assert!(!version(0, 9, 10).is_newer_than(version(1, 0, 10)));
    }
}
