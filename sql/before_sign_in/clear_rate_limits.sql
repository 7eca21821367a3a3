-- Forget the attempts of all clients.
--
-- Why here:   a counter belongs to a client, not to a user
-- Parameters: none
-- Returns:    one row for each counter
-- Index:      none: every row is deleted
-- Locks:      all rows, until commit
DELETE FROM rate_limits
RETURNING key
