-- Remove the API tokens that expired first.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to another user's rows, and removes none but expired ones.
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      api_tokens_by_expiry, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_api_tokens(%(most)s::integer) AS removed
