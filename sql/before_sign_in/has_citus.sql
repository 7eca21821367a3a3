-- Whether this database is a Citus coordinator, where a request has to be an explicit transaction.
--
-- Why here:   each new connection runs it, before its first request
-- Parameters: none
-- Returns:    found   true or false
-- Index:      none: a catalogue of a few rows
-- Locks:      none
SELECT pg_catalog.bool_or(pg_catalog.nameeq(extname, 'citus')) AS found
FROM pg_catalog.pg_extension
