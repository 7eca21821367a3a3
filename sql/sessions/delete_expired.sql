-- Remove those sessions of the user that ended by themselves. Every login does it in passing.
--
-- Parameters: none beyond the user
-- Returns:    one row for each
-- Index:      sessions_pkey (a user has a handful of sessions)
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND expires_at <= now()
RETURNING user_id
