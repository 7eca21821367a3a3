-- Remove expired invites.
--
-- Why here:   the housekeeping runs it, nobody is signed in. The function removes none but expired ones.
-- Parameters: most      how many at most
-- Returns:    removed   how many were
-- Index:      invites_by_expiry and invites_pkey, inside the function
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_invites(%(most)s::integer) AS removed
