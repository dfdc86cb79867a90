CREATE SCHEMA IF NOT EXISTS millrace;

-- One row: what this catalog is.
CREATE TABLE millrace.catalog (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version integer NOT NULL,
    catalog_id uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO millrace.catalog (version) VALUES (1);

CREATE TABLE millrace.view (
    namespace text NOT NULL,
    name text NOT NULL,
    target_schema text NOT NULL,
    target_name text NOT NULL,
    role text NOT NULL,
    -- uid of the Kubernetes resource; null while a retained view waits to be adopted.
    uid text,
    live_revision text,
    replay_count integer NOT NULL DEFAULT 0,
    -- What the name that readers query shows: null (no view yet), 'plain:<revision>' or 'switch:<live>:<next>'.
    shown text,
    -- Transaction id horizon of the last cut-over: the switch view stays while an older snapshot is open.
    cut_over_xid xid8,
    cut_over_at timestamptz,
    kafka_cluster_id text,
    -- Digest of the password that the role has: tells whether the Secret's is another one.
    password_digest text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, name),
    UNIQUE (target_schema, target_name)
);

CREATE TABLE millrace.revision (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'fenced', 'retired', 'abandoned')),
    reason text,
    spec_hash text NOT NULL,
    schema_name text NOT NULL,
    plan text NOT NULL,
    plan_format integer NOT NULL,
    errors_policy text NOT NULL DEFAULT 'DeadLetter' CHECK (errors_policy IN ('DeadLetter', 'Skip', 'Stop')),
    -- Dead letters per 10,000 records above which the view stops; null: never.
    errors_stop_above integer,
    worker_image text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    live_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (namespace, view, revision),
    FOREIGN KEY (namespace, view) REFERENCES millrace.view (namespace, name) ON DELETE CASCADE
);

-- One row for each partition of each topic of a revision. Task i holds partition i of every topic.
CREATE TABLE millrace.progress (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    task integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    -- Kafka's topic id at the time the row was made; another one is another topic.
    topic_id text NOT NULL,
    kafka_cluster_id text NOT NULL,
    start_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    -- The fence: raised at every claim and by the operator; only its present value may commit.
    owner bigint NOT NULL DEFAULT 0,
    holder text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    -- True when keys may be spread over partitions otherwise than by murmur2 of the present count (the topic has grown,
    -- or a producer partitions differently): state is then read under the view's advisory locks.
    shared boolean NOT NULL DEFAULT false,
    -- The timestamp of the newest record applied.
    event_time timestamptz,
    -- Records between next_offset and the last stable offset when last looked at.
    lag_records bigint,
    -- Records and dead letters applied since start.
    records bigint NOT NULL DEFAULT 0,
    dead_letters bigint NOT NULL DEFAULT 0,
    -- Why this task stands still ('DataLost: …', 'TopicRecreated: …', 'ErrorsStopped: …'); null while it runs.
    problem text,
    committed_at timestamptz,
    writer name NOT NULL,
    PRIMARY KEY (namespace, view, revision, topic, partition),
    FOREIGN KEY (namespace, view, revision) REFERENCES millrace.revision ON DELETE CASCADE
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200);

-- Who is alive: every worker renews its row, with tasks or without. Fair share is ceil(tasks / live workers).
CREATE TABLE millrace.worker (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    holder text NOT NULL,
    seen_until timestamptz NOT NULL,
    writer name NOT NULL,
    PRIMARY KEY (namespace, view, revision, holder),
    FOREIGN KEY (namespace, view, revision) REFERENCES millrace.revision ON DELETE CASCADE
) WITH (fillfactor = 30);

CREATE TABLE millrace.dead_letter (
    namespace text NOT NULL,
    view text NOT NULL,
    revision text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    value bytea,
    -- One word ('Decode', 'KeyMismatch', 'Tombstone', 'Compute', 'Refused'), then the sentence.
    reason text NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    writer name NOT NULL,
    PRIMARY KEY (namespace, view, revision, topic, partition, "offset"),
    FOREIGN KEY (namespace, view, revision) REFERENCES millrace.revision ON DELETE CASCADE
);

-- A replay id acts once: an id that is here does nothing.
CREATE TABLE millrace.replay (
    namespace text NOT NULL,
    view text NOT NULL,
    id text NOT NULL,
    revision text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace, view, id),
    FOREIGN KEY (namespace, view) REFERENCES millrace.view (namespace, name) ON DELETE CASCADE
);

-- A view's role sees and changes its own rows and no others.
ALTER TABLE millrace.progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE millrace.worker ENABLE ROW LEVEL SECURITY;
ALTER TABLE millrace.dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE millrace.revision ENABLE ROW LEVEL SECURITY;
ALTER TABLE millrace.view ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON millrace.progress USING (writer = current_user) WITH CHECK (writer = current_user);
CREATE POLICY own ON millrace.worker USING (writer = current_user) WITH CHECK (writer = current_user);
CREATE POLICY own ON millrace.dead_letter USING (writer = current_user) WITH CHECK (writer = current_user);
CREATE POLICY own ON millrace.view FOR SELECT USING (role = current_user);
CREATE POLICY own ON millrace.revision FOR SELECT USING (
    EXISTS (SELECT FROM millrace.view v WHERE v.namespace = revision.namespace AND v.name = revision.view));

-- Has the view that readers query as `view` ('schema.name') applied the record at `record_offset`?
CREATE FUNCTION millrace.reached(view text, topic text, partition integer, record_offset bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT coalesce(bool_and(p.next_offset > $4), false)
    FROM millrace.view v
    JOIN millrace.progress p ON p.namespace = v.namespace AND p.view = v.name AND p.revision = v.live_revision
    WHERE v.target_schema || '.' || v.target_name = $1 AND p.topic = $2 AND p.partition = $3
$$;

-- Position, event time and lag of every view, for every reader.
CREATE VIEW millrace.freshness AS
    SELECT v.namespace, v.name AS view, v.target_schema || '.' || v.target_name AS target, v.live_revision AS revision,
           p.topic, p.partition, p.next_offset, p.lag_records, p.event_time, p.committed_at
    FROM millrace.view v
    JOIN millrace.progress p ON p.namespace = v.namespace AND p.view = v.name AND p.revision = v.live_revision;

GRANT USAGE ON SCHEMA millrace TO PUBLIC;
GRANT SELECT ON millrace.freshness TO PUBLIC;
GRANT EXECUTE ON FUNCTION millrace.reached(text, text, integer, bigint) TO PUBLIC;
