-- Start a session of the user, who must exist: the first one of a sign-in.
--
-- Parameters: session_id   a new id, which becomes the token's jti
--             lifetime     seconds until the session expires
--             address      the client's address
--             user_agent   at most 256 characters, or null
-- Returns:    one row, or none if the user does not exist
-- Index:      users_pkey
-- Locks:      the user's row against deletion, until commit (foreign key)
INSERT INTO sessions (user_id, id, expires_at, address, user_agent)
SELECT
    user_id,
    %(session_id)s::uuid,
    now() + pg_catalog.make_interval(secs => %(lifetime)s::double precision),
    %(address)s::inet,
    %(user_agent)s::text
FROM users
WHERE user_id = %s
RETURNING user_id
