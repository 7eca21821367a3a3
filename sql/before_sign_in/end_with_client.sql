-- Let a statement end soon after its client is gone, for this connection: a killed process must not
-- hold the migration lock until a long statement has run to its end.
--
-- Why here:   start-up; nobody is signed in
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT set_config('client_connection_check_interval', '1s', FALSE)
