-- Remove the counters that expired first. Each attempt removes some too (hit_rate_limit), because a stranger with many
-- addresses could otherwise fill the table within an hour. This is for what the last attempts leave.
--
-- Why here:   the housekeeping runs it; a counter belongs to a client, not to a user
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      rate_limits_pkey, rate_limits_expires_at
-- Locks:      the removed rows, until commit; it waits for none
WITH removed AS (
    DELETE FROM rate_limits
    WHERE
        key IN (
            SELECT stale.key
            FROM rate_limits AS stale
            WHERE stale.expires_at < now()
            ORDER BY stale.expires_at
            LIMIT %(most)s::integer
            FOR UPDATE SKIP LOCKED
        )
    RETURNING key
)

SELECT count(*)::integer AS removed
FROM removed
