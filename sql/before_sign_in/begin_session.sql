-- Open a transaction for a token's user: as begin_request, and the session must be alive. A dead one
-- raises TD401, and nothing that was sent after it runs.
--
-- Why here:   it is what signs the user in, for this transaction
-- Parameters: user_id      from the verified token
--             session_id   its jti
-- Returns:    nothing of interest
-- Index:      sessions_pkey, inside the function
-- Locks:      none
SELECT begin_session(%(user_id)s::uuid, %(session_id)s::uuid)
