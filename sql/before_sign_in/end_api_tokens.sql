-- End all API tokens of a user: they are refused from the commit on.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose
-- Returns:    one row for each token
-- Index:      api_tokens_pkey
-- Locks:      the tokens' rows, until commit
DELETE FROM api_tokens
WHERE user_id = %(user_id)s::uuid
RETURNING user_id
