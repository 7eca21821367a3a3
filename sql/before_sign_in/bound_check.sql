-- Bound what a check may take: it only looks, and nothing of the service has to wait for it.
--
-- Why here:   an operator's check runs it, after pin_settings; nobody is signed in
-- Parameters: seconds   how long a statement may take
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT
    pg_catalog.set_config('statement_timeout', %(seconds)s::pg_catalog.text || 's', TRUE),
    pg_catalog.set_config('lock_timeout', '1s', TRUE)
