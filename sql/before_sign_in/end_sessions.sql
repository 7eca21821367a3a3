-- End the living sign-ins of one user or of all users, and record a logout for each of these users. Repeated until
-- there are none: a renewal that was under way may have started a session that the first time does not see.
--
-- Why here:   an operator's command, run as todo_auth, which sees all sessions; nobody is signed in
-- Parameters: user_id      whose sessions, or null for all users
--             request_id   one id for all rows that this adds to auth_events
-- Returns:    sign_ins   how many sign-ins have ended: logins with their renewals
--             users      how many users had them
-- Index:      sessions_pkey for one user; for all users every row is read
-- Locks:      the removed rows, and the users' rows against deletion, until commit
WITH ended AS (
    DELETE FROM sessions
    WHERE expires_at > now()
        AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s::uuid)
    RETURNING user_id, coalesce(sign_in_id, id) AS sign_in_id
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
    pg_catalog.count(DISTINCT ended.sign_in_id) AS sign_ins,
    pg_catalog.count(DISTINCT ended.user_id) AS users
FROM ended
