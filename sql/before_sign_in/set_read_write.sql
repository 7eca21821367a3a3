-- Let the transaction write, whatever default_transaction_read_only says. Like SET transaction_isolation, it ends with
-- the transaction, and unlike SET LOCAL it leaves no warning in the server's log.
--
-- Why here:   it opens the transaction, before begin_request and in the same message: after that it is too late
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none
SET transaction_read_only TO off
