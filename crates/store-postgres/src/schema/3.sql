-- The object that has an artifact's bytes, by its name in object storage; null where they are in blob_chunks.
ALTER TABLE blobs ADD COLUMN object text COLLATE "C";
-- This database's own name there: a bucket may have the objects of several.
ALTER TABLE pp_host_schema ADD COLUMN id text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text;
