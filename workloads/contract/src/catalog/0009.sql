-- Why a request came to nothing; null: something was done.
ALTER TABLE millrace.request ADD COLUMN nothing_to_do text;
