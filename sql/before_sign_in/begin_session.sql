-- Open a transaction for a token's user, like begin_request, if the session is alive. Otherwise it
-- raises TD401, and no statement that was sent after it runs.
--
-- Why here:   it signs the user in, for this transaction
-- Parameters: user_id      from the verified token
--             session_id   its jti
-- Returns:    nothing of interest
-- Index:      sessions_pkey, inside the function
-- Locks:      none
SELECT public.begin_session(%(user_id)s::pg_catalog.uuid, %(session_id)s::pg_catalog.uuid)
