-- Counters that should have been removed hours ago, and are still there. It counts no further than `most`.
--
-- Why here:   an operator's check looks at it; a counter belongs to a client, not to a user. As the owner, since
--             todo_auth may not read it
-- Parameters: most     how many are counted
-- Returns:    number   of those that expired more than 3 hours ago
-- Index:      rate_limits_expires_at
-- Locks:      none
WITH late AS (
    SELECT expires_at
    FROM rate_limits
    WHERE expires_at <= now() - interval '3 hours'
    ORDER BY expires_at
    LIMIT %(most)s::integer
)

SELECT pg_catalog.count(late.expires_at) AS number
FROM late
