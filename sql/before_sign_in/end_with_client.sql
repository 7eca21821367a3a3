-- For this connection, end a statement soon after its client is gone: a killed process must not hold
-- the migration lock until a long statement has finished.
--
-- Why here:   start-up; nobody is signed in
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT pg_catalog.set_config('client_connection_check_interval', '1s', FALSE)
