-- Remove the oldest of the keys that are older than 24 hours. A user's next create with a key removes some too; this
-- is for users who don't come back.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to another user's rows, and removes none but old ones.
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      idempotency_keys_by_time, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_idempotency_keys(%(most)s::integer) AS removed
