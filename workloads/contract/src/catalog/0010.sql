-- A revision on standby was live before and stays current: workers go on with it, and readers see nothing of it.
ALTER TABLE millrace.revision
    DROP CONSTRAINT revision_state_check,
    ADD CONSTRAINT revision_state_check CHECK (state IN ('open', 'fenced', 'retired', 'standby', 'abandoned'));
