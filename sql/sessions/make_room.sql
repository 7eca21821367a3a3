-- End the user's oldest sessions, so that a new one fits, and remove the expired ones. Every login runs it.
-- Only after users/take_turn: otherwise two logins could both find room for one.
--
-- Parameters: kept   how many living sessions stay, the newest
-- Returns:    one row for each session that was removed
-- Index:      sessions_pkey (a user has at most 50 sessions, which are sorted)
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND id NOT IN (
        SELECT id
        FROM sessions
        WHERE user_id = %s
            AND expires_at > now()
        ORDER BY created_at DESC, id DESC
        LIMIT %(kept)s::integer
    )
RETURNING user_id
