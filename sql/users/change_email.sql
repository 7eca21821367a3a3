-- Give the user another address. One that is in use raises users_email_key. Only after take_turn_with_password.
--
-- Parameters: email   trimmed, NFC, lower case
-- Returns:    one row
-- Index:      users_pkey, users_email_key
-- Locks:      the user's row, and both addresses, until commit: a parallel sign-up with one of them waits
UPDATE users
SET email = %(email)s::text
WHERE user_id = %s
RETURNING user_id
