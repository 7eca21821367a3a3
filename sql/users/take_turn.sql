-- Take the user's turn: wait until no other transaction changes the user's tasks, or is at another place where rows of
-- the user are counted: a login. Each statement that follows in the transaction sees all that was changed before, and
-- numbers its own change with the next revision. So the quotas are exact, and revisions grow in the order of commits.
-- Not a lock of a row, which would be written to disk even when nothing is to change.
--
-- Parameters: none beyond the user
-- Returns:    nothing of interest
-- Index:      users_pkey
-- Locks:      the user's advisory lock, until commit
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(user_id::text, 0::bigint))
FROM users
WHERE user_id = %s
