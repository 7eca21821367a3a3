-- Commit the transaction of begin_on_citus, on every worker that took part.
--
-- Why here:   it belongs to begin_on_citus
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none; the transaction's locks end
COMMIT
