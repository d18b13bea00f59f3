-- What a tenant has is the sum of its parts. A writer changes only its own part, so that the commits of several hosts do not wait for each other.
ALTER TABLE writers ADD COLUMN part smallint NOT NULL DEFAULT 0;

-- `room_…`: by how much the part may still grow without a look at the other parts. In each row, the tenant's sum of a quantity and of its room is at
-- most `most_…`, the quota by which the room was given out: the greatest number where none was. Requests are counted from the minute `since` on.
-- The table has another name than before: a host of an older version that still runs does not take a part for the whole.
ALTER TABLE usage RENAME TO usage_parts;
ALTER TABLE usage_parts
    ADD COLUMN part smallint NOT NULL DEFAULT 0,
    ADD COLUMN room_instances bigint NOT NULL DEFAULT 0, ADD COLUMN room_pending bigint NOT NULL DEFAULT 0,
    ADD COLUMN room_bytes bigint NOT NULL DEFAULT 0, ADD COLUMN room_requests bigint NOT NULL DEFAULT 0,
    ADD COLUMN most_instances bigint NOT NULL DEFAULT 9223372036854775807,
    ADD COLUMN most_pending bigint NOT NULL DEFAULT 9223372036854775807,
    ADD COLUMN most_bytes bigint NOT NULL DEFAULT 9223372036854775807,
    ADD COLUMN most_requests bigint NOT NULL DEFAULT 9223372036854775807,
    ADD COLUMN since bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT usage_pkey, ADD PRIMARY KEY (tenant, part);

ALTER TABLE rates ADD COLUMN part smallint NOT NULL DEFAULT 0, DROP CONSTRAINT rates_pkey, ADD PRIMARY KEY (tenant, minute, part);
ALTER TABLE subjects ADD COLUMN part smallint NOT NULL DEFAULT 0, DROP CONSTRAINT subjects_pkey, ADD PRIMARY KEY (tenant, subject, part);
ALTER TABLE precedents
    ADD COLUMN part smallint NOT NULL DEFAULT 0, DROP CONSTRAINT precedents_pkey, ADD PRIMARY KEY (tenant, digest, signers, part);
ALTER TABLE holdings ADD COLUMN part smallint NOT NULL DEFAULT 0, DROP CONSTRAINT holdings_pkey, ADD PRIMARY KEY (tenant, component, part);
ALTER TABLE artifacts ADD COLUMN part smallint NOT NULL DEFAULT 0, DROP CONSTRAINT artifacts_pkey, ADD PRIMARY KEY (tenant, sha256, part);
