-- How many living sessions a user has.
--
-- Why here:   an operator's command, run as todo_auth; nobody is signed in
-- Parameters: user_id   whose
-- Returns:    sessions
-- Index:      sessions_pkey
-- Locks:      none
SELECT count(*) AS sessions
FROM sessions
WHERE user_id = %(user_id)s::uuid
    AND expires_at > now()
