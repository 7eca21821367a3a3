-- End all sessions of the user: their tokens are refused from the commit on.
--
-- Parameters: none beyond the user
-- Returns:    one row for each session
-- Index:      sessions_pkey
-- Locks:      the sessions' rows, until commit
DELETE FROM sessions
WHERE user_id = %s
RETURNING id
