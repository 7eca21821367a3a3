-- Which migrations this database has, and what they looked like.
--
-- Why here:   readiness and start-up ask it; nobody is signed in
-- Parameters: none
-- Returns:    one row a migration
-- Index:      none: a handful of rows
-- Locks:      none
SELECT
    id,
    checksum
FROM applied_migrations
ORDER BY id
