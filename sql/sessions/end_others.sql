-- End all sign-ins of the user but one.
-- Only after users/take_turn: otherwise a login or a renewal at the same moment could live on.
--
-- Parameters: session_id   any session of the sign-in that stays; if it is gone, none stays
-- Returns:    one row for each session that has ended
-- Index:      sessions_pkey
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND coalesce(sign_in_id, id) IS DISTINCT FROM (
        SELECT coalesce(sign_in_id, id)
        FROM sessions
        WHERE user_id = %s
            AND id = %(session_id)s::uuid
    )
RETURNING user_id
