-- Remove expired reset codes of all users.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to another user's code, and removes none but expired ones.
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      reset_codes_by_expiry and reset_codes_pkey, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_reset_codes(%(most)s::integer) AS removed
