-- Work as todo_auth until the end of the transaction. Who may not, is not the owner of the schema.
--
-- Why here:   an operator's command; nobody is signed in
-- Parameters: none
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT set_config('role', 'todo_auth', TRUE)
