-- What Postgres said to each assertion of `rollout.gates` when it was asked last about a revision.
CREATE TABLE millrace.gate (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    -- Its place in the list, from 0.
    number integer NOT NULL,
    -- Of the statement as it was asked: an answer to another one says nothing.
    sql_hash text NOT NULL,
    passed boolean NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- Since when it has not passed whenever it was asked.
    failing_since timestamptz,
    PRIMARY KEY (namespace, view, revision, number),
    FOREIGN KEY (namespace, view, revision) REFERENCES millrace.revision ON DELETE CASCADE
);
