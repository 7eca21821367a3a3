-- Start a session of the user, who must exist.
--
-- Parameters: session_id   a new id, which becomes the token's jti
--             lifetime     seconds until the session expires
-- Returns:    one row, or none if the user does not exist
-- Index:      users_pkey
-- Locks:      the user's row against deletion, until commit (foreign key)
INSERT INTO sessions (user_id, id, expires_at)
SELECT
    user_id,
    %(session_id)s::uuid,
    now() + pg_catalog.make_interval(secs => %(lifetime)s::double precision)
FROM users
WHERE user_id = %s
RETURNING user_id
