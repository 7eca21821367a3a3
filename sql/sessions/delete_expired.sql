-- Remove the user's expired sessions. Every login runs it.
--
-- Parameters: none beyond the user
-- Returns:    one row for each
-- Index:      sessions_pkey (a user has a few sessions)
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND expires_at <= now()
RETURNING user_id
