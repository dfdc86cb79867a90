-- What people have decided of a revision, which nothing else shows: it may go live; its rollout stands still, and went on
-- again then, from when on rollout.timeout counts.
ALTER TABLE millrace.revision
    ADD COLUMN approved_at timestamptz,
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN resumed_at timestamptz,
    -- When it was first seen to have caught up with the live one, while something else was still waited for.
    ADD COLUMN caught_up_at timestamptz;

-- Readers were sent back: while the resource asks for `rolled_back_from`, `rolled_back_to` is what is to be live.
ALTER TABLE millrace.view ADD COLUMN rolled_back_from text, ADD COLUMN rolled_back_to text;

-- What was asked for by an annotation: an id that is here does nothing.
CREATE TABLE millrace.request (
    namespace text NOT NULL,
    view text NOT NULL,
    verb text NOT NULL CHECK (verb IN ('abort', 'rollback', 'retry', 'promote')),
    id text NOT NULL,
    acted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, view, verb, id),
    FOREIGN KEY (namespace, view) REFERENCES millrace.view (namespace, name) ON DELETE CASCADE
);
