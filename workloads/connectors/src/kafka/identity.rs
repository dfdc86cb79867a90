//! Which topic of which cluster: what a position means nothing without.

/// What the brokers say a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicIdentity {
    pub cluster_id: String,
    /// `None`: there is no topic of that name.
    pub topic_id: Option<String>,
    pub partitions: usize,
}

/// Whether two topic ids are the same, in either base64 alphabet.
pub fn same_topic_id(left: &str, right: &str) -> bool {
    let normal = |id: &str| id.trim_end_matches('=').replace('+', "-").replace('/', "_");
    normal(left) == normal(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_id_is_the_same_in_both_alphabets() {
        assert!(same_topic_id("ab+/cd==", "ab-_cd"));
        assert!(!same_topic_id("abcd", "abce"));
    }
}
