-- What a forecast of the next rollout is made of.
ALTER TABLE millrace.revision
    -- How many records it had read when it was first seen to have caught up, and how long that had taken. Null: it was not
    -- seen to, or stood still in between.
    ADD COLUMN built_records bigint,
    ADD COLUMN built_milliseconds bigint;

ALTER TABLE millrace.progress
    -- When start_offset was looked up. Null: before anybody kept it.
    ADD COLUMN started_at timestamptz,
    -- Bytes of keys and values that were read since start. Null: some were read before anybody counted them.
    ADD COLUMN bytes bigint;
-- Defaults of their own statement are for new rows only.
ALTER TABLE millrace.progress
    ALTER COLUMN started_at SET DEFAULT now(),
    ALTER COLUMN bytes SET DEFAULT 0;

-- Workers count bytes; those of views that are there have been granted the columns of before.
DO $$
DECLARE
    worker name;
BEGIN
    FOR worker IN SELECT r.rolname FROM millrace.view v JOIN pg_roles r ON r.rolname = v.role LOOP
        EXECUTE format('GRANT UPDATE (bytes) ON millrace.progress TO %I', worker);
    END LOOP;
END
$$;
