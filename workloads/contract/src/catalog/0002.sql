-- The roles that the operator has let read the target: what it gave, it takes back, and nothing that others gave.
ALTER TABLE millrace.view ADD COLUMN readers text[] NOT NULL DEFAULT '{}';
