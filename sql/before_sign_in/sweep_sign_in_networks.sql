-- Remove the networks that no sign-in came from for 90 days, those of the longest time first.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to another user's rows, and removes none but old ones.
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      sign_in_networks_by_day, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_sign_in_networks(%(most)s::integer) AS removed
