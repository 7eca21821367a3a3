-- Give the user a new password without a look at the former one. Only after before_sign_in/use_reset_code.
--
-- Parameters: password_hash   bcrypt
-- Returns:    one row, or none if the user does not exist
-- Index:      users_pkey
-- Locks:      the user's row, until commit
UPDATE users
SET
    password_hash = %(password_hash)s::text,
    password_version = password_version + 1
WHERE user_id = %s
RETURNING user_id
