-- The user's address.
--
-- Parameters: none beyond the user
-- Returns:    email
-- Index:      users_pkey
-- Locks:      none
SELECT email
FROM users
WHERE user_id = %s
