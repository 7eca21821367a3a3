-- Start a session of the user, who must exist.
--
-- Parameters: session_id   a new id, which becomes the token's jti
--             lifetime     seconds until it ends by itself
-- Returns:    one row, or none when the user is gone
-- Index:      users_pkey
-- Locks:      the user's row against deletion, until commit (foreign key)
INSERT INTO sessions (user_id, id, expires_at)
SELECT
    user_id,
    %(session_id)s::uuid,
    now() + make_interval(secs => %(lifetime)s::integer)
FROM users
WHERE user_id = %s
RETURNING user_id
