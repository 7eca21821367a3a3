-- Work as todo_auth until the end of the transaction. Only the owner of the schema may do that.
--
-- Why here:   an operator's command; nobody is signed in
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT pg_catalog.set_config('role', 'todo_auth', TRUE)
