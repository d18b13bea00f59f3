-- For the pages of an audit: deletions from a time on, of one tenant or of all.
CREATE INDEX deletions_by_time ON deletions (at, id);
CREATE INDEX deletions_of_tenant ON deletions (tenant, at, id);

-- A row that each commit updates has few old versions before the server removes them: a reader of the row walks through all of them.
ALTER TABLE writers SET (fillfactor = 10);
ALTER TABLE usage SET (fillfactor = 10);
