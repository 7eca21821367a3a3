-- Whether this database has ever been migrated.
--
-- Why here:   for start-up; nobody is signed in
-- Parameters: none
-- Returns:    found   true or false
-- Index:      none
-- Locks:      none
SELECT pg_catalog.to_regclass('public.applied_migrations') IS NOT NULL AS found
