-- The name of the object with an artifact's bytes in object storage; null if they are in blob_chunks.
ALTER TABLE blobs ADD COLUMN object text COLLATE "C";
-- This database's name in object storage: a bucket may have the objects of several databases.
ALTER TABLE pp_host_schema ADD COLUMN id text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text;
