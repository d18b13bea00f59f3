-- The delivered notices of a request: a bit for each.
ALTER TABLE requests ADD COLUMN notified smallint NOT NULL DEFAULT 0;
