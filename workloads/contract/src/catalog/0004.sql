-- Records a second that all workers of a revision read together while it is built, and since when: null is no limit, at 0
-- it stands still. What is live has none.
ALTER TABLE millrace.revision
    ADD COLUMN pace bigint CHECK (pace >= 0),
    ADD COLUMN paced_at timestamptz;
