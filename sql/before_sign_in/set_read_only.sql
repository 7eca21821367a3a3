-- Let nothing be written from here to the end of the transaction.
--
-- Why here:   start-up and checks send it before they look; nobody is signed in
-- Parameters: none
-- Returns:    nothing
-- Index:      none
-- Locks:      none
SET transaction_read_only TO on
