-- Give the user a new password. Only after take_turn_with_password.
--
-- Parameters: password_hash   bcrypt
-- Returns:    one row
-- Index:      users_pkey
-- Locks:      the user's row against other changes, until commit
UPDATE users
SET
    password_hash = %(password_hash)s::text,
    password_version = password_version + 1
WHERE user_id = %s
RETURNING user_id
