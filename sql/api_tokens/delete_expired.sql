-- Remove the user's API tokens that have expired. Every creation runs it.
--
-- Parameters: none beyond the user
-- Returns:    one row for each that was removed
-- Index:      api_tokens_pkey
-- Locks:      the removed rows, until commit
DELETE FROM api_tokens
WHERE user_id = %s
    AND expires_at <= now()
RETURNING user_id
