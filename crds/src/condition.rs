//! Conditions: what is true of a view or an app, and why, in words that a person and `kubectl wait` read.

use crate::named::named;

named! {
    /// The conditions of a view, and of an app.
    ConditionType {
        /// Readers are served by a live revision. Alert on this one.
        Available,
        /// The revision of this generation is live and caught up. False during a rollout, while Available stays True.
        Ready,
        /// Work is going on. Present only when true.
        Reconciling,
        /// Nothing will change until a person acts. Present only when true.
        Stalled,
        /// The query compiles to a plan.
        QueryValid,
        /// Every source's topic is there, readable, and the one that was read before.
        SourcesReady,
        /// Postgres can be written, and the target is ours.
        SinkReady,
        /// The last rollout ended with its revision live.
        RolloutSucceeded,
        /// An app's inputs and outputs are there.
        TopicsReady,
        /// The API server takes an app's pod template.
        TemplateValid,
        /// An app's consumer group is its own: no other app has it, and nobody else is a member.
        GroupReady,
    }
}

named! {
    /// Why a condition has its status. Ready's reason is the column STATUS of `kubectl get`.
    Reason {
        /// The live revision is this generation's, and it is caught up.
        Live,
        /// A revision is built beside the live one.
        RollingOut,
        /// The revision is live, but has records to read that are older than it should.
        CatchingUp,
        /// Workers are asked for and not running yet.
        WorkersStarting,
        /// Workers end again and again.
        WorkersFailing,
        /// `spec.suspend` is true: nothing is read, readers are served. Healthy.
        Suspended,
        /// The annotation that pauses reconciling is set.
        Paused,
        /// The resource is being deleted.
        Deleting,
        /// The resource is being deleted, and what it has outside cannot be cleaned up; it goes without that after a while.
        DeletionBlocked,
        /// The query compiled.
        Compiled,
        /// The query does not compile; the message says line, column, what was found and what to write.
        InvalidQuery,
        /// A field says what only running can show to be wrong, such as an index on a column that the query lacks.
        InvalidSpec,
        /// The topics are there and readable.
        TopicsReadable,
        /// A topic is not there and may not be made.
        TopicMissing,
        /// A topic has fewer partitions than were asked for and could not be grown, or its settings were refused.
        TopicNotAsAsked,
        /// A topic was deleted and made again; only a new replay goes on.
        TopicRecreated,
        /// The brokers belong to another cluster than before; only a new replay goes on.
        KafkaClusterChanged,
        /// Records that were not read yet are gone from the topic; only a new replay goes on.
        DataLost,
        /// A table's build or pause outlasted the time that tombstones are kept; it is rebuilt.
        TombstonesMayBeLost,
        /// Retention has cut off, or will cut off, part of what a replay would read.
        RetentionCutsReplay,
        /// A replay would leave records out that decide what is in the result, and was not told to.
        ReplayDiscardsHistory,
        /// No broker answers. Heals by itself.
        KafkaUnreachable,
        /// Kafka refused the user or the password.
        KafkaAuthenticationFailed,
        /// Kafka knows the user and refused the operation.
        KafkaNotAuthorized,
        /// The target can be written.
        TargetWritable,
        /// Postgres does not answer. Heals by itself.
        PostgresUnreachable,
        /// Postgres refused the user or the password.
        PostgresAuthenticationFailed,
        /// Postgres knows the user and refused the statement.
        PostgresNotAuthorized,
        /// The name of the target is taken by a relation that Millrace did not make.
        TargetExists,
        /// The target, or the view's name in the catalog, is kept up to date for another resource.
        TargetTaken,
        /// The catalog is not the one that was written before; only a new replay goes on.
        CatalogChanged,
        /// A newer operator has written the catalog; this one changes nothing.
        CatalogNewer,
        /// A Secret that the resource names is not there, or lacks a key.
        SecretMissing,
        /// The operator's configuration does not let this namespace write this schema or read this topic.
        NotAllowed,
        /// More records failed than `errors` allows.
        TooManyErrors,
        /// The new result lacks columns that readers see now, or has them with another type.
        BreakingChange,
        /// The revision became live.
        Promoted,
        /// The revision has caught up and goes live when a person says so.
        AwaitingPromotion,
        /// `spec.rollout.paused` is true: nothing is built or swapped, the live revision is kept up to date.
        RolloutPaused,
        /// `spec.rollout.strategy` is InPlaceWithDowntime: readers see the new revision while it fills.
        Refilling,
        /// A person has ended the rollout; the live one stays.
        RolloutAborted,
        /// A person has gone back from the revision that the spec asks for.
        RolledBack,
        /// The revision was not ready in time; the live one stays.
        RolloutTimedOut,
        /// The revision has not passed a gate; the live one stays.
        GateFailed,
        /// Another spec came before the revision was live.
        Superseded,
        /// There is no live revision yet.
        NoLiveRevision,
        /// The app runs as this generation says.
        Running,
        /// The app's group is moved to other records.
        Replaying,
        /// The API server takes the pod template.
        TemplateAccepted,
        /// The API server refuses the pod template; what runs goes on as it was.
        TemplateRefused,
        /// A Deployment or ConfigMap of the name that the app's would have is somebody else's, and is left alone.
        NameTaken,
        /// All members of the group are of the app.
        GroupOwn,
        /// Another StreamApp has the group.
        GroupTaken,
        /// Somebody else is a member of the group; a replay waits until they have left.
        ForeignMember,
        /// Somebody who is no member committed offsets of the group right after it was reset.
        ForeignCommitter,
        /// It could not be asked; what was true before is taken to be true still.
        Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_types_are_words_that_kubernetes_takes() {
        let names =
            ConditionType::ALL.iter().map(|name| name.as_str()).chain(Reason::ALL.iter().map(|name| name.as_str()));
        for name in names {
            assert!(name.starts_with(|first: char| first.is_ascii_uppercase()), "{name}");
            assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
        }
        assert_eq!(ConditionType::QueryValid.to_string(), "QueryValid");
        assert_eq!(ConditionType::ALL.len(), 11);
    }
}
