-- End a sign-in of the user: its tokens are refused from the commit on.
-- Only after users/take_turn: otherwise a renewal at the same moment could live on.
--
-- Parameters: session_id   any living session of the sign-in
-- Returns:    one row for each session that has ended; none if there is no such sign-in
-- Index:      sessions_pkey
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND coalesce(sign_in_id, id) = (
        SELECT coalesce(sign_in_id, id)
        FROM sessions
        WHERE user_id = %s
            AND id = %(session_id)s::uuid
            AND expires_at > now()
    )
RETURNING user_id
