//! Something that keeps a view or an app from being as its resource asks, in one word and one sentence.

use millrace_crds::Reason;
use std::fmt;

/// What is wrong: with which part of a view, in one word, and what was found, expected and can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub area: Area,
    pub reason: Reason,
    pub message: String,
}

/// The part of a view or an app that a trouble is about; each but the last has a condition of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    Query,
    Sources,
    Sink,
    Rollout,
    Template,
    Group,
    Cluster,
}

impl Trouble {
    pub fn query(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Query, reason, message: message.into() }
    }

    pub fn sources(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Sources, reason, message: message.into() }
    }

    pub fn sink(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Sink, reason, message: message.into() }
    }

    pub fn rollout(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Rollout, reason, message: message.into() }
    }

    pub fn template(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Template, reason, message: message.into() }
    }

    pub fn group(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Group, reason, message: message.into() }
    }

    pub fn cluster(reason: Reason, message: impl Into<String>) -> Trouble {
        Trouble { area: Area::Cluster, reason, message: message.into() }
    }

    /// Whether it goes away by itself, once what it is about is well again.
    pub fn heals(&self) -> bool {
        matches!(
            self.reason,
            Reason::KafkaUnreachable
                | Reason::KafkaAuthenticationFailed
                | Reason::KafkaNotAuthorized
                | Reason::PostgresUnreachable
                | Reason::PostgresAuthenticationFailed
                | Reason::PostgresNotAuthorized
                | Reason::SecretMissing
                | Reason::TopicMissing
                | Reason::WorkersFailing
                | Reason::ForeignMember
                | Reason::ForeignCommitter
                | Reason::Unknown
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}
