//! Which of two records of one key is the newer one.
//!
//! A partition's claim to a key is the greatest timestamp among the key's records that were read from it, and stands
//! for the last of these records. The key has the record of the partition with the greatest claim; of equal claims the
//! higher partition's. One version a key is enough to keep that up while partitions are read in any order: a partition
//! that does not hold the key has a claim below the holder's, so a record of it takes the key exactly when the
//! record's own timestamp does.

/// Where a record stands in its topic, or the record that has a key, with its partition's claim.
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

    /// The version of a key that was at `old`, now that this record is read; none where it is not the newer one.
    /// The timestamp never goes back: a producer's clock that does takes nothing from the partition's claim.
    pub fn replacing(self, old: Version) -> Option<Version> {
        self.is_newer_than(old).then(|| Version { timestamp: self.timestamp.max(old.timestamp), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(partition: i32, offset: i64, timestamp: i64) -> Version {
        Version { partition, offset, timestamp }
    }

    #[test]
    fn offsets_decide_within_a_partition_and_timestamps_between_two() {
        assert!(version(0, 2, 10).is_newer_than(version(0, 1, 99)));
        assert!(!version(0, 1, 99).is_newer_than(version(0, 1, 10)));
        assert!(version(1, 0, 11).is_newer_than(version(0, 9, 10)));
        assert!(version(1, 0, 10).is_newer_than(version(0, 9, 10)));
        assert!(!version(0, 9, 10).is_newer_than(version(1, 0, 10)));
    }

    #[test]
    fn a_partition_keeps_its_claim_when_its_clock_goes_back() {
        let kept = version(0, 2, 50).replacing(version(0, 1, 100));
        assert_eq!(kept, Some(version(0, 2, 100)));
        assert_eq!(version(1, 9, 75).replacing(version(0, 2, 100)), None);
        assert_eq!(version(1, 9, 101).replacing(version(0, 2, 100)), Some(version(1, 9, 101)));
    }
}
