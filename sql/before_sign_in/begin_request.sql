-- Open a transaction for somebody who is not signed in: take the role todo_app, set the timeouts, and
-- let row security show the rows of one user (whose password was just checked) or of nobody.
--
-- Why here:   it runs before anyone is signed in
-- Parameters: user_id   the user, or null for nobody
-- Returns:    nothing of interest
-- Index:      none
-- Locks:      none
SELECT public.begin_request(%(user_id)s::pg_catalog.uuid)
