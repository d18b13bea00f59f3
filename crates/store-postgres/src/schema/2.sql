-- Which notices of a request were delivered: a bit each.
ALTER TABLE requests ADD COLUMN notified smallint NOT NULL DEFAULT 0;
