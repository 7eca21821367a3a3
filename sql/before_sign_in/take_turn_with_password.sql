-- Take the user's turn, as users/take_turn, for what a password allowed. If the account's password is another by now,
-- it raises TD403, and if the account is gone or disabled, TD401: then no statement that was sent after it runs.
--
-- Why here:   the function looks at the row of the transaction's own user, and takes no other. It can't be called
--             beside a table: Citus would send the call to a worker.
-- Parameters: password_version   the one of the password that was checked
-- Returns:    nothing of interest
-- Index:      users_pkey, inside the function
-- Locks:      the user's advisory lock, until commit
SELECT public.take_turn_with_password(%(password_version)s::bigint)
