-- Make the transaction READ COMMITTED, whatever default_transaction_isolation says: parallel writes of one user wait
-- for each other, and by any other level the second one would fail.
--
-- Why here:   it opens the transaction, before begin_request and in the same message: after that it is too late
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none
SET transaction_isolation TO 'read committed'
