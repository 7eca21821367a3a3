-- The user's API tokens that have not expired, newest first.
--
-- Parameters: none beyond the user
-- Returns:    id
--             name
--             scope          read or write
--             created_at
--             expires_at     null: never
--             last_used_on   the day in UTC, null: not used yet
-- Index:      api_tokens_pkey (a user has at most 50, which are sorted)
-- Locks:      none
SELECT
    id,
    name,
    scope,
    created_at,
    expires_at,
    last_used_on::text AS last_used_on
FROM api_tokens
WHERE user_id = %s
    AND (expires_at IS NULL OR expires_at > now())
ORDER BY created_at DESC, id DESC
