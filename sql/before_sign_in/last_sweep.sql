-- When a process last began to remove what has expired, and since when one could have.
--
-- Why here:   an operator's check looks at it; nobody is signed in
-- Parameters: none
-- Returns:    sweep_s   how many seconds ago; null: never
--             since_s   how many seconds ago the schema got what housekeeping needs; null: it has not
-- Index:      none: one row, and a handful
-- Locks:      none
SELECT
    (
        SELECT extract(EPOCH FROM pg_catalog.clock_timestamp() - latest.swept_at)::float8
        FROM housekeeping AS latest
    ) AS sweep_s,
    (
        SELECT extract(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.max(done.applied_at))::float8
        FROM applied_migrations AS done
        WHERE done.id = '0011.housekeeping'
    ) AS since_s
