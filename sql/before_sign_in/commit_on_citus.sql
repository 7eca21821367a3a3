-- Commit what begin_on_citus opened, on every worker that took part.
--
-- Why here:   it belongs to begin_on_citus
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none; those of the transaction end
COMMIT
