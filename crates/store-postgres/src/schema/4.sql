-- For the pages of an audit: acts and deletions from a time on, of one tenant or of all.
CREATE INDEX acts_by_time ON acts (at, seq);
CREATE INDEX deletions_by_time ON deletions (at, id);
CREATE INDEX deletions_of_tenant ON deletions (tenant, at, id);
