-- End the living sessions of one user or of all, and record a logout of each of these users.
--
-- Why here:   an operator's command, run as todo_auth, who sees all sessions; nobody is signed in
-- Parameters: user_id      whose sessions, or null for all
--             request_id   one id for all that this leaves in auth_events
-- Returns:    sessions   how many have ended
--             users      how many users had them
-- Index:      sessions_pkey for one user; for all every row is read
-- Locks:      the removed rows, and the users' rows against deletion, until commit
WITH ended AS (
    DELETE FROM sessions
    WHERE expires_at > now()
        AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s::uuid)
    RETURNING user_id
),

recorded AS (
    INSERT INTO auth_events (event, reason, user_id, address, request_id)
    SELECT DISTINCT
        'logout',
        'by the operator',
        ended.user_id,
        coalesce(inet_client_addr(), '127.0.0.1'),
        %(request_id)s::text
    FROM ended
)

SELECT
    count(*) AS sessions,
    count(DISTINCT ended.user_id) AS users
FROM ended
