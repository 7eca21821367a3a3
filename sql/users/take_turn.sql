-- Wait until no other transaction of the user is at a place where the user's rows are counted: a create with a key, a
-- login. Later statements of the transaction then see every row. It writes nothing, so that a replay has nothing to
-- flush to disk.
--
-- Parameters: none beyond the user
-- Returns:    nothing of interest
-- Index:      users_pkey
-- Locks:      the user's advisory lock, until commit
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(user_id::text, 0::bigint))
FROM users
WHERE user_id = %s
