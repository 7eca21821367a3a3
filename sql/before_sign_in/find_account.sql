-- Find the account of an address, for login.
--
-- Why here:   login needs the user before anyone is signed in. The function is the only way to read
--             a password hash, for one address at a time.
-- Parameters: email   trimmed, NFC, lower case
-- Returns:    user_id            no row without an account
--             password_hash      bcrypt
--             password_version   for take_turn_with_password
--             is_disabled        whether an operator has disabled it
-- Index:      users_email_key, inside the function
-- Locks:      none
SELECT
    user_id,
    password_hash,
    password_version,
    is_disabled
FROM public.find_account(%(email)s::text)
