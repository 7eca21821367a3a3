-- Remove the oldest of the answers of batches that are older than 24 hours. A user's next request with a key removes
-- some too; this is for users who don't come back.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to another user's rows, and removes none but old ones.
-- Parameters: most      how many at most, and the rest of the last one's batch
-- Returns:    removed   how many were
-- Index:      batch_results_by_time, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_batch_results(%(most)s::integer) AS removed
