-- Start a session that goes on with another one's sign-in. Only after users/take_turn: otherwise a sign-in that ends
-- at the same moment would live on in the new session. The table's name stands for two things here, and Citus confuses
-- them in RETURNING: hence an alias.
--
-- Parameters: session_id   the token's jti
--             renewed_id   a new id, which becomes the new token's jti
--             lifetime     seconds until the new session expires, unless the sign-in ends before
--             longest      seconds that a sign-in lasts
--             address      the client's address
--             user_agent   at most 256 characters, or null
-- Returns:    lifetime     seconds until the new session expires; no row if the session or its sign-in has ended
-- Index:      sessions_pkey
-- Locks:      the user's row against deletion, until commit (foreign key)
INSERT INTO sessions AS renewed (user_id, id, expires_at, sign_in_id, signed_in_at, address, user_agent)
SELECT
    user_id,
    %(renewed_id)s::uuid,
    least(
        now() + pg_catalog.make_interval(secs => %(lifetime)s::double precision),
        coalesce(signed_in_at, created_at) + pg_catalog.make_interval(secs => %(longest)s::double precision)
    ),
    coalesce(sign_in_id, id),
    coalesce(signed_in_at, created_at),
    %(address)s::inet,
    %(user_agent)s::text
FROM sessions
WHERE user_id = %s
    AND id = %(session_id)s::uuid
    AND expires_at > now()
    AND coalesce(signed_in_at, created_at) + pg_catalog.make_interval(secs => %(longest)s::double precision) > now()
RETURNING pg_catalog.ceil(extract(EPOCH FROM renewed.expires_at - renewed.created_at))::integer AS lifetime
