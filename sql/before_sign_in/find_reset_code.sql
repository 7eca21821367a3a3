-- Whose reset code it is, while it is good and the account is not disabled.
--
-- Why here:   who has the code is not signed in. The function is the only way to a code.
-- Parameters: code_hash   SHA-256 of the code, in hex
-- Returns:    user_id, email; or no row
-- Index:      reset_codes_by_hash and users_pkey, inside the function
-- Locks:      none
SELECT
    user_id,
    email
FROM public.find_reset_code(pg_catalog.decode(%(code_hash)s::text, 'hex'))
