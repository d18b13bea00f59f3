-- A receipt's tenant. A receipt contains texts that people wrote, which the server need not read to find it. Before this version it was part of the text
-- only, as the one unescaped name in it.
ALTER TABLE receipts ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT '';
UPDATE receipts SET tenant = coalesce(substring(body FROM '"company_id":"([^"\\]*)"'), '');
ALTER TABLE receipts ALTER COLUMN tenant DROP DEFAULT;
CREATE INDEX receipts_of_tenant ON receipts (tenant, seq);
CREATE INDEX deployments_of_tenant ON deployments (tenant, place);
CREATE INDEX deployments_of_receipt ON deployments (receipt, place);

-- A workflow's text may be longer than an index permits: its digest is the key.
ALTER TABLE subjects
    ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (sha256(subject)) STORED, DROP CONSTRAINT subjects_pkey, ADD PRIMARY KEY (tenant, digest, part);
ALTER TABLE denials
    ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (sha256(subject)) STORED, DROP CONSTRAINT denials_pkey, ADD PRIMARY KEY (tenant, digest, signers);
ALTER TABLE live
    ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (sha256(resource)) STORED, DROP CONSTRAINT live_pkey, ADD PRIMARY KEY (tenant, digest);

-- Where a host runs: its claims are taken over at once only by the process that follows it there.
ALTER TABLE claims ADD COLUMN place text COLLATE "C";
