-- What workers may do in the catalog is given once, to a role of which those of all views are members. The rights of a
-- thousand roles would not fit into a table's row of pg_class, and those who give some at the same time get in each other's
-- way. Row-level security keeps each to its own rows as before.
ALTER TABLE millrace.catalog ADD COLUMN workers name;
UPDATE millrace.catalog SET workers = 'mr_workers_' || left(md5(catalog_id::text), 12);
ALTER TABLE millrace.catalog ALTER COLUMN workers SET NOT NULL;

DO $$
DECLARE
    workers CONSTANT name := (SELECT workers FROM millrace.catalog);
BEGIN
    -- It is there where this catalog was restored beside the one that it is a copy of.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = workers) THEN
        EXECUTE format('CREATE ROLE %I', workers);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA millrace TO %I', workers);
    EXECUTE format('GRANT SELECT ON millrace.catalog, millrace.view, millrace.revision, millrace.progress TO %I', workers);
    -- The other columns are the operator's.
    EXECUTE format('GRANT UPDATE (next_offset, owner, holder, lease_until, shared, event_time, lag_records, records, bytes,
                                  dead_letters, problem, committed_at) ON millrace.progress TO %I', workers);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON millrace.worker TO %I', workers);
    EXECUTE format('GRANT INSERT ON millrace.dead_letter TO %I', workers);
END
$$;

-- Lets a view's role do what workers do.
CREATE FUNCTION millrace.admit(worker name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    workers CONSTANT name := (SELECT workers FROM millrace.catalog);
BEGIN
    EXECUTE format('ALTER ROLE %I INHERIT', worker);
    IF NOT pg_has_role(worker, workers, 'MEMBER') THEN
        EXECUTE format('GRANT %I TO %I', workers, worker);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION millrace.admit(name) FROM PUBLIC;

-- Those that are there were given everything themselves.
DO $$
DECLARE
    worker name;
BEGIN
    FOR worker IN SELECT r.rolname FROM millrace.view v JOIN pg_roles r ON r.rolname = v.role LOOP
        PERFORM millrace.admit(worker);
        EXECUTE format('REVOKE ALL ON millrace.catalog, millrace.view, millrace.revision, millrace.progress,
                                      millrace.worker, millrace.dead_letter FROM %I', worker);
        EXECUTE format('REVOKE ALL ON SCHEMA millrace FROM %I', worker);
    END LOOP;
END
$$;
