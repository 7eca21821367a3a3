-- Forget the attempts of one client.
--
-- Why here:   a counter belongs to a client, not to a user
-- Parameters: key   the limited client and route
-- Returns:    one row, or none when there was no counter
-- Index:      rate_limits_pkey
-- Locks:      the counter's row, until commit
DELETE FROM rate_limits
WHERE key = %(key)s::text
RETURNING key
