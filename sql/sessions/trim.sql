-- Keep a sign-in small: of too many sessions, remove those that expire first. Every renewal runs it.
-- Only after users/take_turn: otherwise two renewals could both find few.
--
-- Parameters: session_id   the newest session of the sign-in, which stays
--             kept         how many of its other sessions stay
-- Returns:    one row for each session that was removed
-- Index:      sessions_pkey (a sign-in has at most 64 sessions, which are sorted)
-- Locks:      the removed rows, until commit
WITH renewed AS (
    SELECT coalesce(sign_in_id, id) AS first_id
    FROM sessions
    WHERE user_id = %s
        AND id = %(session_id)s::uuid
)

DELETE FROM sessions
WHERE user_id = %s
    AND id IN (
        SELECT id
        FROM sessions
        WHERE user_id = %s
            AND id <> %(session_id)s::uuid
            AND coalesce(sign_in_id, id) IN (SELECT renewed.first_id FROM renewed)
        ORDER BY expires_at DESC, created_at DESC, id DESC
        OFFSET %(kept)s::integer
    )
RETURNING user_id
