-- Add an account that nobody signed up for. An address in use adds nothing.
--
-- Why here:   an operator's command, run as todo_auth; the user does not exist yet
-- Parameters: user_id         a new id
--             email           trimmed, NFC, lower case
--             password_hash   bcrypt, of a password that nobody knows
-- Returns:    one row, or none if the address is in use
-- Index:      users_email_key
-- Locks:      the address, until commit: a parallel sign-up with the same address waits
INSERT INTO users (user_id, email, password_hash)
VALUES (%(user_id)s::uuid, %(email)s::text, %(password_hash)s::text)
ON CONFLICT DO NOTHING
RETURNING user_id
