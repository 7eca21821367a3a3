-- End one API token of the user, and record that: the token is refused from the commit on.
--
-- Parameters: token_id     the token's id, which is not the token
--             event        as the others below: see auth_events/record
--             reason       the token's id
--             address      the client's address
--             user_agent   at most 256 characters, or null
--             request_id   the request's id
-- Returns:    one row, or none if there is no such token
-- Index:      api_tokens_pkey
-- Locks:      the token's row, until commit
WITH ended AS (
    DELETE FROM api_tokens
    WHERE user_id = %s
        AND id = %(token_id)s::uuid
        AND (expires_at IS NULL OR expires_at > now())
    RETURNING user_id
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
)

SELECT user_id
FROM ended
WHERE user_id = %s
