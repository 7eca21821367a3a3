-- Disable an account that is not. Its sessions and codes are ended by other statements of the same transaction.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose
-- Returns:    one row, or none if it was disabled
-- Index:      users_pkey
-- Locks:      the user's row, until commit
UPDATE users
SET disabled_at = now()
WHERE user_id = %(user_id)s::uuid
    AND disabled_at IS NULL
RETURNING user_id
