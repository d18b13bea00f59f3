-- Until `settled`, a holder before the present one may be in the middle of an action. It stands while the present one starts again or releases the shard.
ALTER TABLE claims ADD COLUMN settled timestamptz NOT NULL DEFAULT '-infinity';
UPDATE claims SET settled = clock_timestamp() + interval '10 seconds' WHERE NOT finished;
ALTER TABLE claims DROP COLUMN finished;
