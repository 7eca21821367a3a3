-- Let a session that is being renewed end soon: requests under way still come with its token.
-- Before sessions/renew: whoever deletes the session without the user's turn waits for this transaction, or this
-- transaction for them, and then there is nothing to renew.
--
-- Parameters: session_id   the token's jti
--             grace        seconds that it still works, unless it expires before
-- Returns:    one row, or none if there is no such session (or one from the future: the clock was set back)
-- Index:      sessions_pkey
-- Locks:      the session's row, until commit
UPDATE sessions
SET expires_at = least(expires_at, now() + pg_catalog.make_interval(secs => %(grace)s::double precision))
WHERE user_id = %s
    AND id = %(session_id)s::uuid
    AND created_at < now() + pg_catalog.make_interval(secs => %(grace)s::double precision)
RETURNING user_id
