-- Wait until no other transaction of a user is at a place where it matters: a login, a reset. See users/take_turn.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose turn
-- Returns:    one row, or none if the user does not exist
-- Index:      users_pkey
-- Locks:      the user's advisory lock, until commit
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(user_id::text, 0::bigint))
FROM users
WHERE user_id = %(user_id)s::uuid
