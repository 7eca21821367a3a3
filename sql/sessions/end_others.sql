-- End all sessions of the user but one: their tokens are refused from the commit on.
-- Only after the user's turn: otherwise a login could start one meanwhile.
--
-- Parameters: session_id   the one that lives on
-- Returns:    one row for each session that has ended
-- Index:      sessions_pkey
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND id <> %(session_id)s::uuid
RETURNING user_id
