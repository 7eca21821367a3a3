-- The time by the server's clock, as a Unix time.
--
-- Why here:   an operator's check compares it with the machine's; nobody is signed in
-- Parameters: none
-- Returns:    now   in seconds
-- Index:      none
-- Locks:      none
SELECT extract(EPOCH FROM pg_catalog.clock_timestamp())::float8 AS now
