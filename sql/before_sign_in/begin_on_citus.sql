-- Open a transaction on Citus, in the same message as what follows. What begin_request sets reaches the
-- workers in a transaction by name only; plain PostgreSQL does with the implicit one.
--
-- Why here:   it runs before anyone is signed in
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none
BEGIN
