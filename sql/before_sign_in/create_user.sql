-- Add an account. An address in use raises users_email_key.
--
-- Why here:   the user does not exist yet
-- Parameters: user_id         a new id; row security allows only the one of begin_request
--             email           trimmed, NFC, lower case
--             password_hash   bcrypt
-- Returns:    nothing
-- Index:      users_email_key
-- Locks:      the address, until commit: a parallel sign-up with the same address waits
INSERT INTO users (user_id, email, password_hash)
VALUES (%(user_id)s::uuid, %(email)s::text, %(password_hash)s::text)
