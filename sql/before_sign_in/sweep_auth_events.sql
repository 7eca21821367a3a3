-- Remove the oldest of the events that are older than so many days. A day's events are always kept.
--
-- Why here:   the housekeeping runs it, over the rows of all users; nobody is signed in. The function is the only
--             way to remove an event.
-- Parameters: days      EVENTS_DAYS
--             most      how many at most
-- Returns:    removed   how many were
-- Index:      auth_events_pkey, inside the function: events come in the order of their ids
-- Locks:      the removed rows, until commit. It waits 200 ms for a lock, so that no request waits for it.
SELECT public.sweep_auth_events(%(days)s::integer, %(most)s::integer) AS removed
