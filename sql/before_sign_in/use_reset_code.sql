-- Use up the reset code of the transaction's user, if it is still good. Otherwise it raises TD410, and no statement
-- that was sent after it runs.
--
-- Why here:   the code stands for the user, who is not signed in. It works as the user of begin_request.
-- Parameters: code_hash   SHA-256 of the code, in hex
-- Returns:    nothing of interest
-- Index:      reset_codes_pkey and users_pkey, inside the function
-- Locks:      the code's row, until commit
SELECT public.use_reset_code(pg_catalog.decode(%(code_hash)s::text, 'hex'))
