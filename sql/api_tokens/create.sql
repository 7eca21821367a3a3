-- Add an API token, unless the user has as many as allowed, and record that, at most 60 times a minute.
-- Only after users/take_turn: otherwise two creations could both find room for one, and one could come after the end of
-- the session that asks for it.
--
-- Parameters: session_id        the session that asks for it
--             token_id          made of the new token's SHA-256
--             name              1 to 100 characters, trimmed
--             scope             read or write
--             expires_in_days   1 to 366, or null for never
--             other_tokens      how many other tokens a user may have
--             event             as the others below: see auth_events/record
--             reason            the token's id
--             address           the client's address
--             user_agent        at most 256 characters, or null
--             request_id        the request's id
-- Returns:    created_at        null when there is no room; no row at all when the session has ended meanwhile
--             expires_at        null: never
-- Index:      sessions_pkey, api_tokens_pkey; auth_events_of_user
-- Locks:      the user's row against deletion, until commit
WITH living AS (
    SELECT user_id
    FROM sessions
    WHERE user_id = %s
        AND id = %(session_id)s::uuid
        AND expires_at > now()
),

in_the_way AS (
    SELECT user_id
    FROM api_tokens
    WHERE user_id = %s
    ORDER BY id
    LIMIT 1 OFFSET %(other_tokens)s::integer
),

recorded_lately AS MATERIALIZED (
    SELECT user_id
    FROM auth_events
    WHERE user_id = %s
        AND occurred_at > now() - pg_catalog.make_interval(mins => 1)
        AND event = %(event)s::text
    ORDER BY occurred_at DESC
    LIMIT 1 OFFSET 59
),

made AS (
    INSERT INTO api_tokens (user_id, id, name, scope, expires_at)
    SELECT
        user_id,
        %(token_id)s::uuid,
        %(name)s::text,
        %(scope)s::text,
        now() + pg_catalog.make_interval(days => %(expires_in_days)s::integer)
    FROM living
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM in_the_way)
    RETURNING
        user_id,
        created_at,
        expires_at
),

recorded AS (
    INSERT INTO auth_events (event, reason, user_id, address, user_agent, request_id)
    SELECT
        %(event)s::text,
        %(reason)s::text,
        user_id,
        %(address)s::inet,
        %(user_agent)s::text,
        %(request_id)s::text
    FROM made
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM recorded_lately)
)

SELECT
    created_at,
    expires_at
FROM made
WHERE user_id = %s
UNION ALL
SELECT
    NULL::timestamptz AS created_at,
    NULL::timestamptz AS expires_at
FROM living
WHERE user_id = %s
    AND NOT EXISTS (SELECT FROM made)
