-- Until `hold_until` no epoch passes `hold_offset`: two revisions come to stand at equal positions, to be compared. It
-- ends by the clock, whatever becomes of whoever asked for it.
ALTER TABLE millrace.progress ADD COLUMN hold_offset bigint, ADD COLUMN hold_until timestamptz;

-- What came out when the rows of a revision were last compared with those of the live one, at equal positions.
CREATE TABLE millrace.comparison (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    -- The live revision at that time.
    live text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    -- Null while it goes on, and when it was lost with the session that did it.
    ended_at timestamptz,
    -- Rows of the live revision.
    compared_rows bigint,
    only_in_live bigint,
    only_in_next bigint,
    -- Keys that both have, with other values.
    different bigint,
    -- Some rows that are not equal: [{"live": text, "next": text}], each with one of them or both.
    sample jsonb,
    -- Why it found nothing out.
    problem text,
    PRIMARY KEY (namespace, view, revision),
    FOREIGN KEY (namespace, view) REFERENCES millrace.view (namespace, name) ON DELETE CASCADE
);

-- The verification of a view that goes on, or the last one: the live result is built once more, compared and dropped.
CREATE TABLE millrace.verification (
    namespace text NOT NULL,
    view text NOT NULL,
    -- The name that it was asked for with; null: it was due by spec.verify.
    id text,
    -- The revision that was built for it; null: nothing was built.
    revision text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    -- Null while it goes on.
    result text CHECK (result IN ('Equal', 'Different', 'Refused')),
    message text,
    PRIMARY KEY (namespace, view),
    FOREIGN KEY (namespace, view) REFERENCES millrace.view (namespace, name) ON DELETE CASCADE
);
ALTER TABLE millrace.request
    DROP CONSTRAINT request_verb_check,
    ADD CONSTRAINT request_verb_check CHECK (verb IN ('abort', 'rollback', 'retry', 'promote', 'verify'));
