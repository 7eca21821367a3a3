-- The signed-in user's password hash, for the calls that ask for the current password.
--
-- Why here:   no grant lets todo_app read a password hash. The function reads the one of the transaction's own user,
--             and takes no other.
-- Parameters: none
-- Returns:    email              no row if the account was deleted meanwhile
--             password_hash      bcrypt
--             password_version   for take_turn_with_password
-- Index:      users_pkey, inside the function
-- Locks:      none
SELECT
    email,
    password_hash,
    password_version
FROM public.own_password()
