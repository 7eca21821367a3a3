-- Wait until no other create of the user with a key is under way: what comes after it in the transaction
-- then sees every key that there is. It writes nothing, so that a replay leaves nothing to be flushed.
--
-- Parameters: none beyond the user
-- Returns:    nothing of interest
-- Index:      users_pkey
-- Locks:      the user's advisory lock, until commit
SELECT pg_advisory_xact_lock(hashtextextended(user_id::text, 0))
FROM users
WHERE user_id = %s
