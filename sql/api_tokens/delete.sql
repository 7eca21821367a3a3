-- End one API token of the user, and record that, at most 60 times a minute. The token is refused from the commit on.
--
-- Parameters: token_id     the token's id, which is not the token
--             event        as the others below: see auth_events/record
--             reason       the token's id
--             address      the client's address
--             user_agent   at most 256 characters, or null
--             request_id   the request's id
-- Returns:    one row, or none if there is no such token
-- Index:      api_tokens_pkey; auth_events_of_user
-- Locks:      the token's row, until commit
WITH ended AS (
    DELETE FROM api_tokens
    WHERE user_id = %s
        AND id = %(token_id)s::uuid
        AND (expires_at IS NULL OR expires_at > now())
    RETURNING user_id
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

recorded AS (
    INSERT INTO auth_events (event, reason, user_id, address, user_agent, request_id)
    SELECT
        %(event)s::text,
        %(reason)s::text,
        user_id,
        %(address)s::inet,
        %(user_agent)s::text,
        %(request_id)s::text
    FROM ended
    WHERE user_id = %s
        AND NOT EXISTS (SELECT FROM recorded_lately)
)

SELECT user_id
FROM ended
WHERE user_id = %s
