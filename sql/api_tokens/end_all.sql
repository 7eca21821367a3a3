-- End all API tokens of the user: they are refused from the commit on.
--
-- Parameters: none beyond the user
-- Returns:    one row for each token
-- Index:      api_tokens_pkey
-- Locks:      the tokens' rows, until commit
DELETE FROM api_tokens
WHERE user_id = %s
RETURNING id
