-- Let a disabled account be signed in to again. What was ended stays ended.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose
-- Returns:    one row, or none if it was not disabled
-- Index:      users_pkey
-- Locks:      the user's row, until commit
UPDATE users
SET disabled_at = NULL
WHERE user_id = %(user_id)s::uuid
    AND disabled_at IS NOT NULL
RETURNING user_id
