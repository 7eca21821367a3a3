-- Delete an account, and by the foreign keys all that is its own.
--
-- Why here:   an operator's command, run as todo_auth, for the account of somebody else
-- Parameters: user_id   whose
-- Returns:    one row, or none if the user does not exist
-- Index:      users_pkey
-- Locks:      the user's rows in all tables, until commit
DELETE FROM users
WHERE user_id = %(user_id)s::uuid
RETURNING user_id
