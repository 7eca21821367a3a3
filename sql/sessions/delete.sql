-- End one session of the user: its token is refused from the commit on.
--
-- Parameters: session_id   the token's jti
-- Returns:    one row, or none if there is no such session
-- Index:      sessions_pkey
-- Locks:      the session's row, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND id = %(session_id)s::uuid
RETURNING user_id
