-- Whether this database is a Citus coordinator, where a request has to be an explicit transaction.
--
-- Why here:   each new connection runs it, before its first request
-- Parameters: none
-- Returns:    found   true or false
-- Index:      none: a catalogue of a few rows
-- Locks:      none
SELECT count(*) > 0 AS found
FROM pg_catalog.pg_extension
WHERE extname = 'citus'
