-- Which indexes PostgreSQL can't use: CREATE INDEX CONCURRENTLY leaves one behind when it fails or is killed.
--
-- Why here:   a migration runs it, as the owner of the schema; nobody is signed in
-- Parameters: none
-- Returns:    index   its name
-- Index:      none: catalogues
-- Locks:      none
SELECT made.relname::text AS index
FROM pg_catalog.pg_index AS known
INNER JOIN pg_catalog.pg_class AS made ON known.indexrelid = made.oid
WHERE made.relnamespace = 'public'::regnamespace::oid
    AND NOT known.indisvalid
ORDER BY made.relname
