-- Void the reset code of a user, if there is one.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose
-- Returns:    one row, or none if there was no code
-- Index:      reset_codes_pkey
-- Locks:      the code's row, until commit
DELETE FROM reset_codes
WHERE user_id = %(user_id)s::uuid
RETURNING user_id
