-- Which migrations this database has, with the checksums of their files.
--
-- Why here:   for readiness and start-up; nobody is signed in
-- Parameters: none
-- Returns:    one row for each migration
-- Index:      none: a handful of rows
-- Locks:      none
SELECT
    id,
    checksum
FROM applied_migrations
ORDER BY id
