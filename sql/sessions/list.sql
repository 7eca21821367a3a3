-- The user's living sign-ins, newest first, each as its newest session.
--
-- Parameters: session_id   the request's own session
-- Returns:    id           of the newest session
--             created_at   when the user logged in
--             expires_at   of the newest session, as what follows
--             address
--             user_agent
--             is_current   whether it is the sign-in of the request
-- Index:      sessions_pkey (a user has at most 50 sign-ins, most of them of one session; these are sorted)
-- Locks:      none
SELECT
    id,
    signed_in_at AS created_at,
    expires_at,
    address,
    user_agent,
    is_current
FROM (
    SELECT DISTINCT ON (coalesce(sign_in_id, id))
        id,
        coalesce(signed_in_at, created_at) AS signed_in_at,
        expires_at,
        pg_catalog.host(address) AS address,
        user_agent,
        pg_catalog.bool_or(id = %(session_id)s::uuid) OVER (PARTITION BY coalesce(sign_in_id, id)) AS is_current
    FROM sessions
    WHERE user_id = %s
        AND expires_at > now()
    ORDER BY coalesce(sign_in_id, id), created_at DESC, id DESC
) AS newest
ORDER BY signed_in_at DESC, id DESC
