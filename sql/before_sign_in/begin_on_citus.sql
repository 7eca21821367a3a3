-- Open a transaction on Citus, in the same message as the statements that follow. The settings of begin_request
-- only reach the workers in an explicit transaction; plain PostgreSQL needs only the implicit one.
--
-- Why here:   it runs before anyone is signed in
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none
BEGIN
