-- Readers see it although it has not read everything yet: it went live unfinished, as it was asked to.
ALTER TABLE millrace.revision ADD COLUMN refilling boolean NOT NULL DEFAULT false;
