-- Name the user whose events todo_auth may delete, until the end of the transaction.
--
-- Why here:   an operator's command deletes the account of somebody else
-- Parameters: user_id   whose
-- Returns:    is_named
-- Index:      none
-- Locks:      none
SELECT pg_catalog.set_config('app.user_id', %(user_id)s::text, TRUE) IS NOT NULL AS is_named
