-- End the user's oldest sign-ins, so that a new one fits, and remove the expired sessions. Every login runs it.
-- Only after users/take_turn: otherwise two logins could both find room for one.
--
-- Parameters: kept   how many living sign-ins stay, the newest
-- Returns:    one row for each session that was removed
-- Index:      sessions_pkey (a user has at most 50 sign-ins, most of them of one session; these are sorted)
-- Locks:      the removed rows, until commit
DELETE FROM sessions
WHERE user_id = %s
    AND (
        expires_at <= now()
        OR coalesce(sign_in_id, id) NOT IN (
            SELECT coalesce(sign_in_id, id)
            FROM sessions
            WHERE user_id = %s
                AND expires_at > now()
            GROUP BY coalesce(sign_in_id, id)
            ORDER BY
                pg_catalog.min(coalesce(signed_in_at, created_at)) DESC,
                coalesce(sign_in_id, id) DESC
            LIMIT %(kept)s::integer
        )
    )
RETURNING user_id
