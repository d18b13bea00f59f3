CREATE TABLE pp_host_schema (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
INSERT INTO pp_host_schema (version) VALUES (1);

-- The last group that each writer committed: the writer looks here if the answer to its commit was lost.
CREATE TABLE writers (writer text COLLATE "C" PRIMARY KEY, last bigint NOT NULL, seen timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 50);

CREATE SEQUENCE facts;
CREATE SEQUENCE instance_ids;

-- `next` is the number of entries, and the only value with which the position that an append expects is compared.
CREATE TABLE instances (
    id bigint PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL, instance text COLLATE "C" NOT NULL, shard smallint NOT NULL,
    next bigint NOT NULL, at bigint NOT NULL,
    state smallint NOT NULL, due bigint, since bigint NOT NULL, ended boolean NOT NULL,
    UNIQUE (tenant, instance)
) WITH (fillfactor = 80);
CREATE INDEX instances_due ON instances (tenant, due) WHERE due IS NOT NULL;
CREATE INDEX instances_ended ON instances (tenant, since) WHERE ended;
CREATE INDEX instances_of_tenant ON instances (tenant, id);

-- Entries that are appended together are one row: JSON texts, one a line. `sum` is a checksum that shows damage.
CREATE TABLE entries (
    instance bigint NOT NULL, idx bigint NOT NULL, seq bigint NOT NULL, at bigint NOT NULL,
    count integer NOT NULL, sum bigint NOT NULL, body text NOT NULL,
    PRIMARY KEY (instance, idx)
);
CREATE INDEX entries_by_seq ON entries (seq);

CREATE TABLE components (digest text COLLATE "C" PRIMARY KEY, size bigint NOT NULL, bytes bytea NOT NULL);
ALTER TABLE components ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE holdings (
    tenant text COLLATE "C" NOT NULL, component text COLLATE "C" NOT NULL, instances bigint NOT NULL,
    PRIMARY KEY (tenant, component)
);
CREATE INDEX holdings_of_component ON holdings (component);
CREATE TABLE outputs (instance bigint PRIMARY KEY, text bytea NOT NULL);

CREATE TABLE requests (
    id text COLLATE "C" PRIMARY KEY, instance bigint NOT NULL, seq bigint NOT NULL, tenant text COLLATE "C" NOT NULL,
    subject bytea NOT NULL, open boolean NOT NULL, outcome text COLLATE "C", body text NOT NULL
);
CREATE INDEX requests_by_seq ON requests (seq);
CREATE INDEX requests_of_instance ON requests (instance);
CREATE INDEX requests_open ON requests (seq) WHERE open;
CREATE TABLE subjects (
    tenant text COLLATE "C" NOT NULL, subject bytea NOT NULL, times bigint NOT NULL, PRIMARY KEY (tenant, subject)
);
CREATE TABLE denials (
    tenant text COLLATE "C" NOT NULL, subject bytea NOT NULL, signers bytea NOT NULL, times bigint NOT NULL,
    PRIMARY KEY (tenant, subject, signers)
);
CREATE TABLE rates (tenant text COLLATE "C" NOT NULL, minute bigint NOT NULL, times bigint NOT NULL, PRIMARY KEY (tenant, minute));

CREATE TABLE receipts (
    id text COLLATE "C" PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, request text COLLATE "C" NOT NULL UNIQUE, body text NOT NULL
);
CREATE INDEX receipts_by_seq ON receipts (seq);
-- Both fates of a receipt, spent and revoked, are in one row, so that a receipt is never both.
CREATE TABLE fates (
    receipt text COLLATE "C" PRIMARY KEY,
    redeemed_at bigint, redeemed_seq bigint, attestation text, revoked_at bigint, revocation text, revocation_id text COLLATE "C",
    CHECK (redeemed_at IS NULL OR revoked_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX fates_by_revocation ON fates (revocation_id) WHERE revocation_id IS NOT NULL;
CREATE TABLE precedents (
    tenant text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, signers bytea NOT NULL, seq bigint NOT NULL,
    receipt text COLLATE "C" NOT NULL, PRIMARY KEY (tenant, digest, signers)
);
CREATE INDEX precedents_by_seq ON precedents (tenant, digest, seq);

CREATE TABLE acts (seq bigint PRIMARY KEY, at bigint NOT NULL, body text NOT NULL);
-- The last act: locked by a redemption in share mode, by an operator's act exclusively.
CREATE TABLE acts_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), last bigint NOT NULL);
INSERT INTO acts_head (last) VALUES (0);

CREATE TABLE usage (
    tenant text COLLATE "C" PRIMARY KEY, instances bigint NOT NULL, pending bigint NOT NULL, bytes bigint NOT NULL
) WITH (fillfactor = 50);

-- `state` and `ended_at` are unknown for instances that were deleted in an old format of a data folder.
CREATE TABLE deletions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, tenant text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL, deleted_by bytea NOT NULL, facts bigint NOT NULL, state smallint, ended_at bigint
);
-- The data folders whose state was moved here.
CREATE TABLE moves (id text COLLATE "C" PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

CREATE TABLE deployments (
    place bigint PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE, tenant text COLLATE "C" NOT NULL, resource bytea NOT NULL,
    artifact bytea NOT NULL, sha256 text COLLATE "C" NOT NULL, bytes bigint NOT NULL, location bytea NOT NULL,
    receipt text COLLATE "C" NOT NULL, redeemed bigint NOT NULL, approved_at bigint NOT NULL
);
-- The last assigned place: locked until the commit, so that places have the order of commits.
CREATE TABLE deployments_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), last bigint NOT NULL);
INSERT INTO deployments_head (last) VALUES (0);
CREATE TABLE live (
    tenant text COLLATE "C" NOT NULL, resource bytea NOT NULL, place bigint NOT NULL, redeemed bigint NOT NULL,
    PRIMARY KEY (tenant, resource)
);
CREATE INDEX live_by_place ON live (place);
-- The artifacts that each tenant keeps, and their holders: an instance that deployed the artifact (its id), or a live deployment (its place, negative).
CREATE TABLE artifacts (
    tenant text COLLATE "C" NOT NULL, sha256 text COLLATE "C" NOT NULL, bytes bigint NOT NULL, holders bigint NOT NULL,
    PRIMARY KEY (tenant, sha256)
);
CREATE INDEX artifacts_by_digest ON artifacts (sha256) WHERE holders > 0;
CREATE TABLE artifact_holders (holder bigint NOT NULL, sha256 text COLLATE "C" NOT NULL, PRIMARY KEY (holder, sha256));
CREATE TABLE blobs (sha256 text COLLATE "C" PRIMARY KEY, bytes bigint NOT NULL, kept timestamptz NOT NULL);
CREATE TABLE blob_chunks (
    sha256 text COLLATE "C" NOT NULL REFERENCES blobs ON DELETE CASCADE, part bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (sha256, part)
);
ALTER TABLE blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE hosts (id text COLLATE "C" PRIMARY KEY, info text NOT NULL, seen timestamptz NOT NULL, until timestamptz);
-- `until` is null if no host has the shard; `finished` says whether the previous claim was released rather than expired.
CREATE TABLE claims (
    shard smallint PRIMARY KEY, host text COLLATE "C", claim text COLLATE "C", epoch bigint NOT NULL DEFAULT 0, until timestamptz,
    finished boolean NOT NULL DEFAULT true
) WITH (fillfactor = 50);
INSERT INTO claims (shard) SELECT generate_series(0, 255);
CREATE INDEX claims_by_claim ON claims (claim);
