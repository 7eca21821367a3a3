-- Forget the attempts of one client, or of all.
--
-- Why here:   a counter belongs to a client, not to a user
-- Parameters: key   the limited client and route; null: every one
-- Returns:    one row for each counter
-- Index:      rate_limits_pkey
-- Locks:      the removed rows, until commit
DELETE FROM rate_limits
WHERE key = coalesce(%(key)s::text, key)
RETURNING key
